// Building elements: h('a.link', {href: '/x', onclick: f}, 'text', child, …) and the line icons.

const PATHS = {
  person: 'M12 11.5a3.6 3.6 0 1 0 0-7.2 3.6 3.6 0 0 0 0 7.2Zm-7 8c.4-3.7 3.2-5.6 7-5.6s6.6 1.9 7 5.6Z',
  company: 'M4.5 19.5v-13l7-2.5v15.5m0-10.5 8 2.5v8M3 19.5h18M7.5 9h1.2M7.5 12.5h1.2M7.5 16h1.2M15 14h1.2M15 17h1.2',
  deal: 'M4 7.5h11.5l4.5 4.5-4.5 4.5H4l3.5-4.5Z',
  lead: 'M4.5 5h15l-5.8 7.2v6.3l-3.4-2v-4.3Z',
  app: 'M5 5h5.5v5.5H5Zm8.5 0H19v5.5h-5.5ZM5 13.5h5.5V19H5Zm8.5 2.7h5.5m-2.750-2.7V19',
  analytics: 'M4 20h16M6.5 20v-8m5.500 8V5m5.500 15v-5',
  search: 'M10.7 17a6.3 6.3 0 1 0 0-12.6 6.3 6.3 0 0 0 0 12.6Zm4.6-1.7 4.7 4.7',
  close: 'm6 6 12 12M18 6 6 18',
  chevron: 'm7 10 5 5 5-5',
  menu: 'M4 7h16M4 12h16M4 17h16',
  pencil: 'm5 19 .8-3.7L15.6 5.5l2.9 2.9-9.8 9.8Zm8.7-11.6 2.9 2.9',
  plus: 'M12 5v14M5 12h14',
  call: 'M7.3 4.5 9.5 8.6 7.8 10.4c.9 2.4 2.9 4.5 5.6 5.7l1.9-1.7 4.2 2.1c0 2.2-1.5 3.5-3.5 3.3C9.8 19 5 14 4.2 8c-.3-2 1-3.5 3.1-3.5Z',
  mail: 'M4 6.5h16v11H4Zm.5.5 7.5 6 7.5-6',
  meeting: 'M5 6.5h14V19H5ZM5 10h14M8.5 4.5v3.5m7-3.5v3.5',
  task: 'm5 12.5 4.5 4.5L19 7.5',
  stage: 'M4 12h14m-5-5 5 5-5 5',
  note: 'M6 4.5h12v15H6ZM9 9h6m-6 3.5h6M9 16h3.5',
  clock: 'M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16Zm0-12.5V12l3 2',
}

export function h(tag, props = {}, ...children) {
  const [name, ...classes] = tag.split('.')
  const element = document.createElement(name)
  if (classes.length) element.className = classes.join(' ')
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value)
    else if (key === 'style') element.style.cssText = value
    else if (key in element && typeof value !== 'string') element[key] = value
    else element.setAttribute(key, value === true ? '' : value)
  }
  element.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false))
  return element
}

export function icon(name, size = 24) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  for (const [key, value] of Object.entries({
    viewBox: '0 0 24 24', width: size, height: size, fill: 'none', stroke: 'currentColor',
    'stroke-width': 1.5, 'stroke-linejoin': 'round', 'stroke-linecap': 'round', 'aria-hidden': 'true',
  })) svg.setAttribute(key, value)
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path')
  path.setAttribute('d', PATHS[name] ?? PATHS.note)
  svg.append(path)
  return svg
}

export function avatar(person, size = 32) {
  return h('span.avatar', { style: `--hue:${person.hue};width:${size}px;height:${size}px;font-size:${Math.round(size * 0.38)}px`, 'aria-hidden': 'true' }, person.initials)
}

// An own link: handled by the router in this page, an ordinary address for everything else.
export function link(href, ...children) {
  return h('a.link', { href, 'data-own': true }, ...children)
}

// Listen to an event of the document for as long as the element is in the page.
export function whileShown(element, event, action) {
  const listener = () => {
    if (element.isConnected) action()
    else document.removeEventListener(event, listener)
  }
  document.addEventListener(event, listener)
}

export function debounce(action, pause = 250) {
  let timer
  return (...args) => {
    clearTimeout(timer)
    timer = setTimeout(() => action(...args), pause)
  }
}

// A short message at the top right; errors stay until closed.
export function toast(text, isError = false) {
  const box = h(`div.toast${isError ? '.toast-error' : ''}`, { role: isError ? 'alert' : 'status' }, text,
    h('button.plain', { 'aria-label': 'Закрыть', onclick: () => box.remove() }, icon('close', 16)))
  document.body.append(box)
  if (!isError) setTimeout(() => box.remove(), 4000)
}
