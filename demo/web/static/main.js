// Starts the portal: draws the frame of the page, then shows what the address names.
import { get } from './api.js'
import { analyticsPage } from './analytics.js'
import { openCard } from './card.js'
import { h } from './dom.js'
import { appPage } from './frame.js'
import { listPage } from './list.js'
import { drawShell, markMenu } from './shell.js'
import { closeAbove, depth } from './slider.js'

const CARD = /^\/crm\/(contact|company|deal|lead)\/(?:details|show)\/(\d+)\/?$/
const LIST = /^\/crm\/(contact|company|deal|lead)(?:\/list|\/kanban)?\/?$/
const ANALYTICS = '/report/analytics/'
const APP = /^\/marketplace\/(app|view)\/([^/]+)\/(?:left-menu\/(\d+)\/)?$/

let portal, work, shown

function show(page) {
  markMenu(location.pathname)
  work.replaceChildren(page)
}

function showUnder(path) {
  shown = path
  const list = LIST.exec(path)
  const app = APP.exec(path)
  if (list) return show(listPage(list[1]))
  if (path.split('?')[0] === ANALYTICS) return show(analyticsPage())
  if (app) {
    const [, kind, code, index] = app
    const placement = index ? 'LEFT_MENU' : kind === 'view' ? 'REST_APP_URI' : 'DEFAULT'
    return show(appPage({ app: decodeURIComponent(code), placement, index: Number(index ?? 0), options: linkOptions() }))
  }
  return show(h('div.notice', {}, h('h1', {}, 'Страница не найдена'), 'В демо-портале есть только CRM и приложения.'))
}

// /marketplace/view/<app>/?params[docId]=42 hands docId to the application.
function linkOptions() {
  const options = {}
  for (const [key, value] of new URLSearchParams(location.search)) {
    const name = /^params\[(\w+)\]$/.exec(key)
    if (name) options[name[1]] = value
  }
  return options
}

export function go(path) {
  const card = CARD.exec(path.split('?')[0])
  if (card) return openCard(card[1], Number(card[2]))
  closeAbove(0)
  history.pushState({ depth: 0 }, '', path)
  showUnder(location.pathname)
}

document.addEventListener('click', event => {
  const own = event.target.closest('a[data-own]')
  if (!own || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return
  event.preventDefault()
  go(own.getAttribute('href'))
})

addEventListener('popstate', event => {
  const wanted = event.state?.depth ?? 0
  if (wanted > depth()) return location.reload()
  closeAbove(wanted)
  if (!CARD.test(location.pathname) && location.pathname !== shown) showUnder(location.pathname)
})

function addressHere() {
  const query = new URLSearchParams(location.search)
  query.delete('user')
  if (location.pathname === '/') return '/crm/contact/list/'
  return location.pathname + (query.size ? `?${query}` : '')
}

async function start() {
  portal = await get('portal')
  document.title = portal.title
  work = drawShell(portal)
  const card = CARD.exec(location.pathname)
  history.replaceState({ depth: 0 }, '', card ? `/crm/${card[1]}/list/` : addressHere())
  showUnder(location.pathname)
  if (card) openCard(card[1], Number(card[2]))
}

start()
