// What applications add to menus of the pages: items that open them in a panel.
import { h, icon } from './dom.js'
import { AppFrame } from './frame.js'
import { openSlider } from './slider.js'

// `reload` is what the widget's reloadData does; a place without it does not know the command.
export function openWidget(item, { options = {}, uri = null, reload = null } = {}) {
  const frame = new AppFrame({ ...item, options, uri, kind: 'slider' })
  if (reload) {
    frame.placementCommands = {
      reloadData: async (_, __, reply) => {
        await reload()
        reply({})
      },
    }
  }
  return openSlider({ content: frame.element })
}

// A button with a menu; `entries` are { title, run }, or { caption } above a group.
export function menuButton(label, name, entries, kind = 'button.button') {
  const button = h(`${kind}`, {
    'aria-haspopup': 'menu', 'aria-expanded': 'false', 'aria-label': label, title: label,
    onclick: () => open(button, entries),
  }, icon(name, 18))
  return button
}

function open(button, entries) {
  const menu = h('div.popup.widget-menu', { role: 'menu' }, entries.map(entry => (entry.caption
    ? h('div.popup-caption', {}, entry.caption)
    : h('button.widget-item', { role: 'menuitem', onclick: () => { close(); entry.run() } }, entry.title))))
  const { left, bottom } = button.getBoundingClientRect()
  document.body.append(menu)
  const room = document.documentElement.clientWidth - menu.offsetWidth - 8
  menu.style.cssText = `left:${Math.max(8, Math.min(left, room))}px;top:${bottom + 6}px`
  button.setAttribute('aria-expanded', 'true')

  function close() {
    menu.remove()
    button.setAttribute('aria-expanded', 'false')
    removeEventListener('pointerdown', outside, true)
    removeEventListener('keydown', escape, true)
  }
  function outside(event) {
    if (!menu.contains(event.target)) close()
  }
  function escape(event) {
    if (event.key !== 'Escape') return
    event.stopPropagation()
    close()
    button.focus()
  }
  addEventListener('pointerdown', outside, true)
  addEventListener('keydown', escape, true)
  menu.querySelector('button')?.focus()
}
