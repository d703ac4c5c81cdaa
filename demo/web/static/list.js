// A list page: title, creation, search and pipelines over the grid.
import { get, post } from './api.js'
import { openCard } from './card.js'
import { debounce, h, icon, toast, whileShown } from './dom.js'
import { table } from './table.js'
import { menuButton, openWidget } from './widgets.js'

export function listPage(entity) {
  const wanted = { q: '', category: '' }
  const title = h('h1', {}, '\u00a0')
  const grid = h('div.list-body', {}, h('div.grid-card.skeleton'))
  const pipelines = h('div.segments', { hidden: true, role: 'radiogroup', 'aria-label': 'Воронка' })
  const toolbar = h('span.list-toolbar')
  const input = h('input', { type: 'search', placeholder: 'Фильтр + поиск', 'aria-label': 'Поиск в списке' })
  input.addEventListener('input', debounce(() => { wanted.q = input.value.trim(); fill() }))

  async function fill() {
    const asked = JSON.stringify(wanted)
    let page
    try {
      page = await get(`crm/${entity}`, wanted)
    } catch (error) {
      return toast(error.message, true)
    }
    if (asked !== JSON.stringify(wanted)) return undefined
    title.textContent = page.title
    if (page.categories && pipelines.hidden) drawPipelines(page.categories)
    drawToolbar(page.toolbar)
    return grid.replaceChildren(table(page, {
      more: before => get(`crm/${entity}`, { ...wanted, before }),
      menu: rowMenu(page.row_menu),
      empty: wanted.q ? 'Ничего не найдено. Попробуйте изменить запрос' : undefined,
    }))
  }

  // A widget above the list learns nothing of the rows; one in a row's menu learns the row's id.
  function drawToolbar(items) {
    toolbar.replaceChildren(...(items.length
      ? [menuButton('Приложения', 'chevron', items.map(item => ({ title: item.title, run: () => openWidget(item) })))]
      : []))
  }

  function rowMenu(items) {
    return row => [
      { title: 'Открыть', run: () => openCard(entity, row.id) },
      ...(items.length ? [{ caption: 'Маркетплейс' }] : []),
      ...items.map(item => ({ title: item.title, run: () => openWidget(item, { options: { ID: String(row.id) }, reload: fill }) })),
    ]
  }

  function drawPipelines(categories) {
    pipelines.hidden = false
    const all = [{ id: '', title: 'Все воронки' }, ...categories]
    pipelines.replaceChildren(...all.map(one => h('button', {
      role: 'radio', 'aria-checked': String(one.id === wanted.category),
      onclick: () => { wanted.category = one.id; drawPipelines(categories); fill() },
    }, one.title)))
  }

  async function create() {
    try {
      const { id } = await post(`crm/${entity}`, {})
      document.dispatchEvent(new Event('crm:changed'))
      await openCard(entity, id)
    } catch (error) {
      toast(error.message, true)
    }
  }

  const page = h('section.list', {},
    h('div.list-head', {}, title,
      h('button.button.button-green', { onclick: create }, icon('plus', 18), 'Создать'),
      h('label.filter', {}, input, icon('search', 20)), toolbar),
    pipelines, grid)
  whileShown(page, 'crm:changed', fill)
  fill()
  return page
}
