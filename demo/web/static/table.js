// The grid shared by the lists and the tabs of a card.
import { avatar, h, link } from './dom.js'
import { menuButton } from './widgets.js'

function stageMark(cell) {
  return h('span.stage-mark', { title: cell.text },
    h('span.stage-scale', { style: `--stage:${cell.stage}` }, Array.from({ length: 5 }, (_, at) => h(`i${at < Math.ceil(cell.share / 2) ? '.on' : ''}`))),
    h('span.stage-name', {}, cell.text))
}

export function anchor({ text, href }) {
  return href.startsWith('/') ? link(href, text) : h('a.link', { href, target: '_blank', rel: 'noopener' }, text)
}

function cellBody(cell) {
  if (cell.stage) return stageMark(cell)
  if (cell.links) return anchor(cell.links[0])
  return cell.text || ''
}

function rowOf(row, columns, entity, menu) {
  return h('tr', {},
    menu && h('td.cell-menu', {}, menuButton(`Меню: ${row.title}`, 'menu', menu(row), 'button.plain')),
    h('td.cell-title', {}, h('span.cell-name', {}, WITH_FACE.has(entity) && avatar(row, 32), link(row.href, row.title))),
    row.cells.map((cell, at) => h(`td${columns[at].numeric ? '.numeric' : ''}`, {}, cellBody(cell))))
}

const WITH_FACE = new Set(['contact', 'company'])
const HEADS = { contact: 'Контакт', company: 'Компания', deal: 'Сделка', lead: 'Лид' }

// `more` is called with the id to go on below; it returns the next page of the same list. `menu`
// gives the entries of a row's own menu.
export function table(page, { more = null, menu = null, empty = 'Здесь пока ничего нет' } = {}) {
  const body = h('tbody', {}, page.rows.map(row => rowOf(row, page.columns, page.entity, menu)))
  const shown = h('span', {})
  const button = h('button.button', { onclick: next }, 'Показать ещё')
  let below = page.before

  function count() {
    shown.textContent = page.total === null
      ? `Показано: ${body.rows.length.toLocaleString('ru')}`
      : `Показано ${body.rows.length.toLocaleString('ru')} из ${page.total.toLocaleString('ru')}`
    button.hidden = !below || !more
  }

  async function next() {
    button.disabled = true
    const answer = await more(below)
    below = answer.before
    body.append(...answer.rows.map(row => rowOf(row, answer.columns, page.entity, menu)))
    button.disabled = false
    count()
  }

  count()
  if (!page.rows.length) return h('div.grid-card', {}, h('p.empty', {}, empty))
  return h('div.grid-card', {},
    h('div.grid-scroll', {}, h('table.grid', {},
      h('thead', {}, h('tr', {}, menu && h('th.cell-menu', { 'aria-label': 'Меню' }), h('th', {}, HEADS[page.entity]), page.columns.map(column => h(`th${column.numeric ? '.numeric' : ''}`, {}, column.title)))),
      body)),
    h('div.grid-foot', {}, shown, button))
}
