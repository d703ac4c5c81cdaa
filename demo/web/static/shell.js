// What surrounds every page: the left menu, the search over everything, the acting user.
import { actAs, get } from './api.js'
import { avatar, debounce, h, icon, link } from './dom.js'

const ICONS = { contact: 'person', company: 'company', deal: 'deal', lead: 'lead', app: 'app', analytics: 'analytics' }

export function drawShell(portal) {
  const work = h('main.work', { id: 'work' })
  document.body.append(
    h('nav.side', { 'aria-label': 'Главное меню' },
      h('a.brand', { href: '/crm/contact/list/', 'data-own': true, title: portal.title }, h('span.brand-mark', {}, 'ДП'), h('span.side-text', {}, portal.title)),
      portal.menu.map(group => [
        h('div.side-caption.side-text', {}, group.title),
        group.items.map(item => h('a.side-item', { href: item.href, 'data-own': true, title: item.title },
          icon(ICONS[item.icon] ?? 'app', 22), h('span.side-text', {}, item.title))),
      ])),
    h('header.top', {},
      h('button.top-menu', { 'aria-label': 'Меню', onclick: () => document.body.classList.toggle('side-open') }, icon('menu')),
      searchBox(), userSwitch(portal)),
    work)
  document.addEventListener('click', event => {
    if (!event.target.closest('.top-menu')) document.body.classList.remove('side-open')
  })
  return work
}

export function markMenu(path) {
  for (const item of document.querySelectorAll('.side-item')) {
    const here = path.startsWith(item.getAttribute('href').replace(/list\/$/, ''))
    item.toggleAttribute('data-active', here)
    if (here) item.setAttribute('aria-current', 'page')
    else item.removeAttribute('aria-current')
  }
}

function searchBox() {
  const found = h('div.popup.search-found', { hidden: true })
  const input = h('input', { type: 'search', placeholder: 'Искать клиента, сделку, телефон', 'aria-label': 'Поиск по порталу' })
  const look = debounce(async () => {
    const query = input.value.trim()
    if (query.length < 2) return found.toggleAttribute('hidden', true)
    const items = await get('search', { q: query, kinds: 'contact,company,deal,lead' })
    if (query !== input.value.trim()) return undefined
    found.replaceChildren(...items.map(item => h('a.search-row', { href: `/crm/${item.kind}/details/${item.id}/`, 'data-own': true },
      avatar(item, 28), h('span', {}, item.title), h('span.hint', {}, item.desc))))
    if (!items.length) found.append(h('p.hint.search-row', {}, 'Ничего не найдено'))
    return found.toggleAttribute('hidden', false)
  })
  input.addEventListener('input', look)
  input.addEventListener('focus', look)
  document.addEventListener('click', event => {
    if (!event.target.closest('.search') || event.target.closest('.search-row')) found.hidden = true
  })
  return h('div.search', { role: 'search' }, icon('search', 20), input, found)
}

function userSwitch(portal) {
  const menu = h('div.popup.user-menu', { hidden: true, role: 'menu' },
    h('div.popup-caption', {}, 'Работать от имени'),
    portal.users.map(user => h('button.user-row', {
      role: 'menuitemradio', 'aria-checked': String(user.id === portal.user.id),
      onclick: () => {
        actAs(user.id)
        const here = new URL(location.href)
        here.searchParams.delete('user')
        location.replace(here)
      },
    }, avatar(user, 32), h('span', {}, user.name, h('span.hint', {}, user.admin ? 'Администратор' : user.position)))))
  const button = h('button.user', { 'aria-haspopup': 'menu', onclick: () => { menu.hidden = !menu.hidden } },
    avatar(portal.user, 34), h('span.user-name', {}, portal.user.name, h('span', {}, portal.user.admin ? 'Администратор' : portal.user.position)), icon('chevron', 18))
  document.addEventListener('click', event => {
    if (!event.target.closest('.user-box')) menu.hidden = true
  })
  return h('div.user-box', {}, button, menu)
}
