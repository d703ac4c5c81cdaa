// The card of an item, in a panel: title, stages, tabs, fields on the left, history on the right.
import { get, post } from './api.js'
import { h, toast, whileShown } from './dom.js'
import { readDraft, sectionView } from './fields.js'
import { AppFrame } from './frame.js'
import { closeTop, isOnTop, openSlider } from './slider.js'
import { table } from './table.js'
import { timelineView } from './timeline.js'
import { menuButton, openWidget } from './widgets.js'

const REFRESH_EVERY = 3000

export function openCard(entity, id, { width = null } = {}) {
  const before = document.title
  return openSlider({
    content: new Card(entity, id).element, path: `/crm/${entity}/details/${id}/`, width,
  }).then(() => { document.title = before })
}

class Card {
  constructor(entity, id) {
    this.path = `crm/${entity}/${id}`
    this.uri = `/crm/${entity}/details/${id}/`
    this.opened = new Map()
    this.draft = new Map()
    this.element = h('article.card', {}, h('div.card-wait', {}, h('span.spinner')))
    this.start()
  }

  async start() {
    try {
      this.data = await get(this.path)
    } catch (error) {
      this.element.replaceChildren(h('div.notice', { role: 'alert' }, error.message,
        h('p', {}, h('button.button', { onclick: closeTop }, 'Закрыть'))))
      return
    }
    this.panels = h('div.card-panels')
    this.head = h('header.card-head')
    this.tabs = h('div.tabs', { role: 'tablist' }, this.data.tabs.map(tab => this.tabButton(tab)))
    this.element.replaceChildren(this.head, this.tabs, this.panels)
    this.fill(this.data)
    this.show(this.data.tabs[0])
    this.timer = setInterval(() => this.refresh(), REFRESH_EVERY)
  }

  // Show what others changed meanwhile, unless the card is being edited or is not in sight.
  async refresh() {
    if (!this.element.isConnected) return clearInterval(this.timer)
    if (this.bar || document.hidden || !isOnTop(this.element)) return undefined
    const data = await get(this.path).catch(() => this.data)
    if (!this.bar && JSON.stringify(data) !== JSON.stringify(this.data)) this.fill(data)
    return undefined
  }

  // Draw what depends on the item; open applications keep their frames.
  fill(data) {
    this.data = data
    document.title = data.title
    this.head.replaceChildren(
      h('div.card-title', {}, h('h1', {}, data.title), data.subtitle && h('span.card-subtitle', {}, data.subtitle), this.menu()),
      data.stages.length ? this.stageBar() : '')
    this.draft.clear()
    this.bar?.remove()
    this.bar = null
    const main = h('div.card-main', {},
      h('div.card-fields', {}, data.sections.map(section => sectionView(section, this.draft, () => this.askToSave()))),
      timelineView(data.timeline, (id, result) => this.finishTodo(id, result)))
    const old = this.opened.get('main')
    this.opened.set('main', main)
    if (old) {
      main.hidden = old.hidden
      old.replaceWith(main)
    }
  }

  // The button beside «Документ»: what applications put there learns the item's id.
  menu() {
    const { menu, id } = this.data
    return menu.length > 0 && menuButton('Приложения', 'app', menu.map(item => ({
      title: item.title, run: () => openWidget(item, { options: { ID: String(id) }, uri: this.uri }),
    })))
  }

  tabButton(tab) {
    return h('button.tab', { role: 'tab', 'data-tab': tab.key, 'aria-selected': 'false', onclick: () => this.show(tab) }, tab.title)
  }

  show(tab) {
    for (const button of this.tabs.children) button.setAttribute('aria-selected', String(button.dataset.tab === tab.key))
    if (!this.opened.has(tab.key)) this.opened.set(tab.key, tab.app ? this.appPanel(tab) : this.relatedPanel(tab))
    for (const [key, panel] of this.opened) {
      if (!panel.isConnected) this.panels.append(panel)
      panel.hidden = key !== tab.key
    }
  }

  appPanel(tab) {
    const frame = new AppFrame({
      app: tab.app, placement: tab.placement, index: tab.index, kind: 'tab', uri: this.uri, options: { ID: String(this.data.id) },
    })
    frame.placementCommands = {
      reloadData: async (_, __, reply) => {
        this.fill(await get(this.path))
        reply({})
      },
    }
    return h('div.card-app', { role: 'tabpanel' }, frame.element)
  }

  relatedPanel(tab) {
    const panel = h('div.card-related', { role: 'tabpanel' }, h('div.grid-card.skeleton'))
    const { entity, id } = this.data
    const draw = async () => {
      const page = await get(`${this.path}/${tab.related}`)
      const create = async () => {
        const owner = entity === 'contact' ? { CONTACT_IDS: [id] } : { COMPANY_ID: id }
        const added = await post(`crm/${tab.related}`, { fields: owner })
        document.dispatchEvent(new Event('crm:changed'))
        await openCard(tab.related, added.id)
      }
      panel.replaceChildren(
        h('div.related-head', {}, h('button.button', { onclick: () => create().catch(error => toast(error.message, true)) }, tab.related === 'deal' ? 'Создать сделку' : 'Создать контакт')),
        table(page))
    }
    const redraw = () => draw().catch(error => panel.replaceChildren(h('div.notice', { role: 'alert' }, error.message)))
    whileShown(panel, 'crm:changed', redraw)
    redraw()
    return panel
  }

  stageBar() {
    const { stages } = this.data
    const current = stages.find(stage => stage.state === 'current')
    const shown = stages.filter(stage => !stage.end)
    const ends = stages.filter(stage => stage.end)
    const last = current?.end ? current : { id: '', title: 'Завершить', color: '#7bd500', state: 'next', end: 'ask' }
    return h('div.stages', { role: 'group', 'aria-label': 'Стадия' }, [...shown, last].map(stage => {
      const isOn = current && (current.end || stage.state !== 'next')
      const colour = isOn ? current.color : null
      return h(`button.stage${isOn ? '.is-on' : ''}${stage === current ? '.is-current' : ''}`, {
        title: stage.title, 'data-stage': stage.id, 'aria-pressed': String(stage === current),
        style: `--stage:${colour ?? stage.color}`,
        onclick: () => (stage.end ? this.finish(ends) : this.save({ [this.data.stage_field]: stage.id })),
      }, h('span', {}, stage.title))
    }))
  }

  finish(ends) {
    const dialog = h('dialog.dialog', { onclose: () => dialog.remove() }, h('h2', {}, 'Чем закончилось?'),
      h('div.dialog-list', {}, ends.map(stage => h('button.dialog-row', {
        'data-stage': stage.id,
        onclick: () => { dialog.close(); this.save({ [this.data.stage_field]: stage.id }) },
      }, h('span.dot', { style: `--stage:${stage.color}` }), stage.title))),
      h('div.dialog-buttons', {}, h('button.button', { onclick: () => dialog.close() }, 'Отмена')))
    document.body.append(dialog)
    dialog.showModal()
  }

  async finishTodo(id, result) {
    try {
      this.fill(await post(`${this.path}/todo/${id}`, { result }))
    } catch (error) {
      toast(error.message, true)
    }
  }

  askToSave() {
    if (this.bar) return
    this.bar = h('footer.save-bar', {},
      h('button.button.button-blue', { onclick: () => this.save(readDraft(this.draft)) }, 'Сохранить'),
      h('button.plain', { onclick: () => this.fill(this.data) }, 'Отмена'))
    this.element.append(this.bar)
  }

  async save(fields) {
    try {
      this.fill(await post(this.path, { fields }))
      document.dispatchEvent(new Event('crm:changed'))
    } catch (error) {
      toast(error.message, true)
    }
  }
}
