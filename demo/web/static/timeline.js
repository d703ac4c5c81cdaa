// The right column of a card: planned activities on cream, then what happened, by days.
import { h, icon, link } from './dom.js'

function entry(one) {
  return h(`li.event${one.planned ? '.event-planned' : ''}.event-${one.icon}`, {},
    h('span.event-icon', {}, icon(one.icon, 18)),
    h('div.event-card', {},
      h('div.event-head', {}, h('span.event-kind', {}, one.kind), h(`span.event-time${one.late ? '.is-late' : ''}`, {}, one.time)),
      h('div.event-title', {}, one.href ? link(one.href, one.title) : one.title),
      one.text && h('div.event-text', {}, one.text, one.mark?.stage && h('span.event-mark', { style: `--stage:${one.mark.stage}` }, one.mark.text)),
      one.author && h('div.event-author', {}, one.author)))
}

const pill = (text, kind) => h('li.event-pill', {}, h(`span.pill-${kind}`, {}, text))

export function timelineView({ planned, past }) {
  return h('ol.timeline', { 'aria-label': 'История' },
    planned.length ? pill('Что нужно сделать', 'todo') : null,
    planned.map(entry),
    past.map(one => [one.day && pill(one.day, 'day'), entry(one)]))
}
