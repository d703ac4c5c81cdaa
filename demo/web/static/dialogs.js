// The portal's own choosing dialogs: employees and CRM items.
import { get } from './api.js'
import { avatar, debounce, h } from './dom.js'

const PREFIX = { lead: 'L', contact: 'C', company: 'CO', deal: 'D' }
const NAMES = { lead: 'Лиды', contact: 'Контакты', company: 'Компании', deal: 'Сделки' }

// Resolves with the chosen options, or null when the dialog was left.
function choose({ title, multiple, find, chosen = [] }) {
  return new Promise(resolve => {
    const picked = new Map(chosen.map(option => [option.key, option]))
    let result = null
    const list = h('div.dialog-list', { role: 'listbox' })
    const input = h('input.field-input', { type: 'search', placeholder: 'Поиск', 'aria-label': 'Поиск' })
    const dialog = h('dialog.dialog', { onclose: () => { dialog.remove(); resolve(result) } },
      h('h2', {}, title), input, list,
      h('div.dialog-buttons', {},
        multiple && h('button.button.button-blue', { onclick: () => finish([...picked.values()]) }, 'Выбрать'),
        h('button.button', { onclick: () => dialog.close() }, 'Отмена')))

    function finish(options) {
      result = options
      dialog.close()
    }

    function take(option, row) {
      if (!multiple) return finish([option])
      if (!picked.delete(option.key)) picked.set(option.key, option)
      row.setAttribute('aria-selected', picked.has(option.key))
      return undefined
    }

    async function fill() {
      const options = await find(input.value.trim())
      list.replaceChildren(...options.map(option => {
        const row = h('button.dialog-row', { role: 'option', 'aria-selected': String(picked.has(option.key)), onclick: () => take(option, row) },
          avatar(option, 28), h('span', {}, option.title), h('span.hint', {}, option.desc))
        return row
      }), ...(options.length ? [] : [h('p.hint', {}, 'Ничего не найдено')]))
    }

    input.addEventListener('input', debounce(fill, 200))
    document.body.append(dialog)
    dialog.showModal()
    fill()
  })
}

export async function selectUser(multiple) {
  const chosen = await choose({
    title: multiple ? 'Выберите сотрудников' : 'Выберите сотрудника',
    multiple,
    find: async query => (await get('search', { q: query, kinds: 'user' })).map(one => ({ ...one, key: one.id })),
  })
  return chosen?.map(one => ({ id: one.id, name: one.title })) ?? null
}

export async function selectCrm({ entityType = ['contact'], multiple = false }) {
  const kinds = (Array.isArray(entityType) ? entityType : [entityType]).filter(kind => kind in PREFIX)
  const chosen = await choose({
    title: kinds.length === 1 ? NAMES[kinds[0]] : 'Выберите элементы CRM',
    multiple: Boolean(multiple),
    find: async query => (await get('search', { q: query, kinds: kinds.join() }))
      .map(one => ({ ...one, key: `${PREFIX[one.kind]}_${one.id}` })),
  })
  if (!chosen) return null
  const result = {}
  for (const one of chosen) {
    (result[one.kind] ??= []).push({
      id: one.key, type: one.kind, place: one.kind, title: one.title, desc: one.desc,
      url: `/crm/${one.kind}/details/${one.id}/`,
    })
  }
  return result
}
