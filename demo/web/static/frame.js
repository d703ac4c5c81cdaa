// An application's page inside the portal: opened by a form POST into a named iframe, then spoken
// to with postMessage. A frame is a `page` (left menu), a `tab` (card), a `slider` or a `field`.
import { post } from './api.js'
import { commands } from './commands.js'
import { h } from './dom.js'

const frames = new Set()

export class AppFrame {
  constructor({ app, placement = 'DEFAULT', index = 0, options = {}, kind = 'page', uri = null, field_type = null }) {
    Object.assign(this, { app, placement, index, options, kind, uri, field_type })
    this.element = h(`div.app-holder.app-${kind}`, {}, h('div.app-wait', {}, h('span.spinner')))
    this.load()
  }

  async load() {
    const { app, placement, index, options, kind, field_type } = this
    const uri = this.uri ?? location.pathname + location.search
    let opened
    try {
      opened = await post('frame', { app, placement, index, options, kind, uri, field_type })
    } catch (error) {
      opened = { notice: error.message }
    }
    if (!this.element.isConnected) return
    if (opened.notice) {
      this.element.replaceChildren(h('div.notice', { role: 'alert' }, opened.notice))
      return
    }
    this.opened = opened
    this.iframe = h('iframe.app-frame', { name: opened.name, title: opened.title, allow: 'clipboard-write; fullscreen' })
    frames.add(this)
    const form = h('form', { method: 'POST', action: opened.url, target: opened.name, hidden: true },
      Object.entries(opened.body).map(([name, value]) => h('input', { type: 'hidden', name, value: String(value) })))
    this.element.replaceChildren(this.iframe, form)
    form.submit()
    form.remove()
  }

  resize(width, height) {
    if (this.kind === 'slider' || this.kind === 'field') return false
    const pixels = Number.parseInt(height)
    if (pixels > 0) this.iframe.style.height = `${pixels}px`
    this.iframe.style.width = String(width).endsWith('%') || !(Number.parseInt(width) > 0) ? '100%' : `${Number.parseInt(width)}px`
    return true
  }

  reply(callback, value = {}) {
    this.iframe.contentWindow?.postMessage(`${callback}:${JSON.stringify(value)}`, this.opened.origin)
  }
}

// `command:JSON:callback:sid`; the JSON part may be missing and may itself contain colons.
function parse(data) {
  if (typeof data === 'object' && data?.method) {
    return { command: data.method, params: data.params || {}, callback: data.callback, sid: data.appSid }
  }
  if (typeof data !== 'string') return null
  const first = data.indexOf(':')
  const last = data.lastIndexOf(':')
  if (first < 0 || last === first) return null
  const middle = data.slice(first + 1, last)
  const split = middle.lastIndexOf(':')
  const text = split < 0 ? '' : middle.slice(0, split)
  let params = text
  try {
    params = text ? JSON.parse(text) : {}
  } catch { /* a raw value, as setValue sends */ }
  return { command: data.slice(0, first), params, callback: middle.slice(split + 1), sid: data.slice(last + 1) }
}

addEventListener('message', event => {
  for (const frame of frames) if (!frame.iframe.isConnected) frames.delete(frame)
  const frame = [...frames].find(one => one.iframe.contentWindow === event.source)
  const message = frame && parse(event.data)
  if (!message) return
  if (event.origin !== frame.opened.origin || message.sid !== frame.opened.sid) {
    console.warn(`Сообщение приложения отклонено: ${event.origin}`)
    return
  }
  const run = Object.hasOwn(commands, message.command) ? commands[message.command] : frame.placementCommands?.[message.command]
  run?.(frame, message.params, value => frame.reply(message.callback, value))
})

export function appPage(settings) {
  return h('div.app-page', {}, new AppFrame({ ...settings, kind: 'page' }).element)
}
