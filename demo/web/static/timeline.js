// The right column of a card: planned activities on cream, then what happened, by days.
import { h, icon, link } from './dom.js'

const tag = one => h(`span.event-tag.tag-${one.type}`, {}, one.text)

const line = one => h('div.event-line', {}, one.name && h('span.hint', {}, `${one.name}: `),
  one.href ? link(one.href, one.text) : h(one.bold ? 'b' : 'span', {}, one.text))

function entry(one, finish) {
  return h(`li.event${one.planned ? '.event-planned' : ''}.event-${one.icon}`, {},
    h('span.event-icon', {}, icon(one.icon, 18)),
    h('div.event-card', {},
      h('div.event-head', {},
        h('span.event-kind', {}, one.kind, one.tags?.map(tag)),
        h(`span.event-time${one.late ? '.is-late' : ''}`, {}, one.time)),
      h('div.event-title', {}, one.href ? link(one.href, one.title) : one.title),
      one.text && h('div.event-text', {}, one.text, one.mark?.stage && h('span.event-mark', { style: `--stage:${one.mark.stage}` }, one.mark.text)),
      one.lines?.map(line),
      one.author && h('div.event-author', {}, one.author),
      one.todo && one.planned && h('button.button.event-finish', { 'data-finish': one.id, onclick: () => ask(one, finish) }, 'Завершить')))
}

// An employee finishes a to-do and says what came of it.
function ask(one, finish) {
  const words = h('textarea.field-input', { rows: 4, placeholder: 'Итог: о чём договорились', 'aria-label': 'Итог' })
  const dialog = h('dialog.dialog', { onclose: () => dialog.remove() }, h('h2', {}, one.title), words,
    h('div.dialog-buttons', {},
      h('button.button.button-blue', { onclick: () => { dialog.close(); finish(one.id, words.value.trim()) } }, 'Завершить дело'),
      h('button.button', { onclick: () => dialog.close() }, 'Отмена')))
  document.body.append(dialog)
  dialog.showModal()
}

const pill = (text, kind) => h('li.event-pill', {}, h(`span.pill-${kind}`, {}, text))

export function timelineView({ planned, past }, finish) {
  return h('ol.timeline', { 'aria-label': 'История' },
    planned.length ? pill('Что нужно сделать', 'todo') : null,
    planned.map(one => entry(one, finish)),
    past.map(one => [one.day && pill(one.day, 'day'), entry(one)]))
}
