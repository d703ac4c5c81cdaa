// The pages' own JSON endpoints, always asked on behalf of the acting user.

const KEY = 'demo-portal.user'

function chosenUser() {
  const asked = new URLSearchParams(location.search).get('user')
  if (asked && /^\d+$/.test(asked)) localStorage.setItem(KEY, asked)
  return localStorage.getItem(KEY) ?? ''
}

let user = chosenUser()

export function actAs(id) {
  user = String(id)
  localStorage.setItem(KEY, user)
}

async function answer(response) {
  const body = await response.json().catch(() => ({ error: `Ответ ${response.status}` }))
  if (!response.ok) throw new Error(body.error)
  return body
}

export async function get(path, params = {}) {
  const query = new URLSearchParams({ user })
  for (const [key, value] of Object.entries(params)) {
    if (value !== null && value !== undefined && value !== '') query.set(key, value)
  }
  return answer(await fetch(`/web/api/${path}?${query}`))
}

export async function post(path, body = {}) {
  return answer(await fetch(`/web/api/${path}?${new URLSearchParams({ user })}`, {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
  }))
}
