// CRM analytics: nothing of its own, and the reports of applications in its left menu.
import { get } from './api.js'
import { h, toast } from './dom.js'
import { AppFrame } from './frame.js'

const URI = '/report/analytics/?IFRAME=Y&IFRAME_TYPE=SIDE_SLIDER'

export function analyticsPage() {
  const place = h('div.analytics-body', {}, h('div.notice', {}, 'Выберите отчёт слева.'))
  const menu = h('nav.analytics-menu', { 'aria-label': 'CRM-аналитика' }, h('div.popup-caption', {}, 'Приложения'))

  function show(item, button) {
    for (const one of menu.querySelectorAll('button')) one.toggleAttribute('data-active', one === button)
    place.replaceChildren(new AppFrame({ ...item, kind: 'page', uri: URI }).element)
  }

  get('analytics').then(({ menu: items }) => {
    menu.append(...items.map(item => h('button.widget-item', { onclick: event => show(item, event.currentTarget) }, item.title)))
    if (!items.length) menu.append(h('p.hint', {}, 'Нет отчётов приложений'))
  }, error => toast(error.message, true))
  return h('section.analytics', {}, h('h1', {}, 'CRM-аналитика'), h('div.analytics-columns', {}, menu, place))
}
