// Keeps the first page of the list fresh while it is looked at.
const list = document.querySelector('[data-fresh]')

async function refresh() {
  if (document.hidden) return
  const answer = await fetch('/?part')
  if (!answer.ok) return
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
  if (page.body.innerHTML.trim() !== list.innerHTML.trim()) list.replaceChildren(...page.body.childNodes)
}

if (list) setInterval(() => refresh().catch(() => {}), 3000)
