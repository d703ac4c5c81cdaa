// Panels that come from the right over the page, one above another. A panel with a path owns the
// address bar; Back, Escape, the round button and a click beside the panel close the top one.
import { h, icon } from './dom.js'

const stack = []

export function openSlider({ content, path = null, width = null, left = null, label = '' }) {
  return new Promise(resolve => {
    const entry = { resolve, depth: stack.length + 1, focused: document.activeElement }
    entry.panel = h('div.slider-panel', { role: 'dialog', 'aria-modal': 'true', tabIndex: -1 },
      h('button.slider-close', { 'aria-label': 'Закрыть', title: 'Закрыть', onclick: closeTop }, icon('close', 20), label && h('span', {}, label)),
      h('div.slider-body', {}, content))
    if (width) entry.panel.style.setProperty('--slider-width', `${width}px`)
    if (left !== null) entry.panel.style.setProperty('--slider-left', `${left}px`)
    entry.shade = h('div.slider-shade', { onclick: event => { if (event.target === entry.shade) closeTop() } }, entry.panel)
    stack.push(entry)
    document.body.append(entry.shade)
    document.body.classList.add('has-slider')
    history.pushState({ depth: entry.depth }, '', path ?? location.href)
    entry.panel.focus({ preventScroll: true })
    requestAnimationFrame(() => entry.shade.classList.add('is-open'))
  })
}

export function closeTop() {
  if (stack.length) history.back()
}

// Close the panel that holds this element, with everything above it.
export function closeHolding(element) {
  const index = stack.findIndex(entry => entry.panel.contains(element))
  if (index >= 0) history.go(index - stack.length)
  return index >= 0
}

export function closeAbove(depth) {
  while (stack.length > depth) {
    const entry = stack.pop()
    entry.shade.classList.remove('is-open')
    setTimeout(() => entry.shade.remove(), 200)
    entry.focused?.focus({ preventScroll: true })
    entry.resolve()
  }
  if (!stack.length) document.body.classList.remove('has-slider')
}

export const depth = () => stack.length

export const isOnTop = element => Boolean(stack.at(-1)?.panel.contains(element))

addEventListener('keydown', event => {
  if (event.key === 'Escape' && stack.length && !document.querySelector('dialog[open]')) closeTop()
})
