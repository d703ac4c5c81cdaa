// Fields of a card: the value with its label above; a click on an editable one opens its editor.
import { h, icon } from './dom.js'
import { AppFrame } from './frame.js'
import { anchor } from './table.js'

function shown(field) {
  if (field.widget) {
    const { element } = new AppFrame({ ...field.widget, kind: 'field' })
    element.style.height = `${field.widget.height}px`
    return element
  }
  if (field.links?.length) return field.links.map(one => h('span.value-line', {}, anchor(one)))
  if (field.text) return field.text
  return h('span.empty-value', {}, 'не заполнено')
}

function options(field, value) {
  const chosen = new Set((Array.isArray(value) ? value : [value]).map(String))
  const blank = field.multiple || field.type === 'user' ? [] : [h('option', { value: '' }, '—')]
  return [...blank, ...Object.entries(field.options).map(([id, text]) => h('option', { value: id, selected: chosen.has(id) }, text))]
}

function oneInput(type, value, label) {
  return h('input.field-input', { type, value: String(value ?? ''), 'aria-label': label, step: type === 'number' ? 'any' : null })
}

const INPUTS = { integer: 'number', double: 'number', date: 'date', datetime: 'datetime-local', url: 'url' }

function moneyEditor(field, value) {
  const [amount, currency = 'RUB'] = String(value || '').split('|')
  const input = oneInput('number', amount, field.label)
  return { element: input, read: () => (field.currency && input.value !== '' ? `${input.value}|${currency || 'RUB'}` : input.value) }
}

function linesEditor(field, value) {
  const lines = Array.isArray(value) && value.length ? value : [{ VALUE: '' }]
  const inputs = lines.map(one => [one, oneInput('text', one.VALUE ?? one, field.label)])
  const extra = { VALUE: '' }
  if (lines[0].VALUE !== '') inputs.push([extra, oneInput('text', '', `${field.label}: ещё`)])
  return {
    element: h('div.lines', {}, inputs.map(([, input]) => input)),
    read: () => field.type === 'crm_multifield'
      ? inputs.map(([one, input]) => ({ ...one, VALUE: input.value }))
      : inputs.map(([, input]) => input.value).filter(Boolean),
  }
}

function editorOf(field) {
  const { value } = field
  if (field.options) {
    const select = h('select.field-input', { multiple: field.multiple, 'aria-label': field.label }, options(field, value))
    return { element: select, read: () => field.multiple ? [...select.selectedOptions].map(one => one.value) : select.value }
  }
  if (field.type === 'boolean' || field.type === 'char') {
    const [yes, no] = field.type === 'char' ? ['Y', 'N'] : ['1', '0']
    const select = h('select.field-input', { 'aria-label': field.label },
      h('option', { value: yes, selected: value === yes }, 'да'), h('option', { value: no, selected: value !== yes }, 'нет'))
    return { element: select, read: () => select.value }
  }
  if (field.multiple) return linesEditor(field, value)
  if (field.type === 'money') return moneyEditor(field, value)
  if (field.name === 'COMMENTS') {
    const area = h('textarea.field-input', { rows: 3, 'aria-label': field.label }, value)
    return { element: area, read: () => area.value }
  }
  const input = oneInput(INPUTS[field.type] ?? 'text', value, field.label)
  return { element: input, read: () => input.value }
}

// `draft` collects what was changed: field name -> function that reads the new value.
function fieldView(field, draft, onEdit) {
  const value = h('div.value', {}, shown(field))
  const box = h('div.field', { 'data-field': field.name }, h('div.label', {}, field.label), value)
  if (!field.editable) {
    box.classList.add('is-read-only')
    return box
  }
  const edit = () => {
    if (draft.has(field.name)) return
    const editor = editorOf(field)
    value.replaceChildren(editor.element)
    box.classList.add('is-editing')
    draft.set(field.name, editor.read)
    onEdit()
    const first = editor.element.matches('input,select,textarea') ? editor.element : editor.element.querySelector('input')
    first?.focus()
  }
  value.addEventListener('click', event => { if (!event.target.closest('a')) edit() })
  box.append(h('button.field-edit', { 'aria-label': `Изменить: ${field.label}`, title: 'Изменить', onclick: edit }, icon('pencil', 16)))
  return box
}

function isEmpty(field) {
  return !field.text && !field.links?.length && !field.widget
}

export function sectionView(section, draft, onEdit) {
  const views = section.fields.map(field => {
    const view = fieldView(field, draft, onEdit)
    if (isEmpty(field)) view.classList.add('is-empty')
    return view
  })
  const hidden = views.filter(view => view.classList.contains('is-empty')).length
  const box = h(`section.fields${section.figures ? '.fields-figures' : ''}`, { 'aria-label': section.title }, h('h2', {}, section.title), h('div.fields-grid', {}, views))
  if (hidden && !section.figures) {
    const more = h('button.plain.more-fields', { onclick: () => { box.classList.add('show-empty'); more.remove() } }, `Показать незаполненные поля: ${hidden}`)
    box.append(more)
  }
  return box
}

export const readDraft = draft => Object.fromEntries([...draft].map(([name, read]) => [name, read()]))
