// What an application may ask of the portal by postMessage. Each command gets the frame, the
// parameters and `reply`; one that does not reply leaves the application to its own time limit,
// as the portal does with what it denies in that place.
import { post } from './api.js'
import { openCard } from './card.js'
import { selectCrm, selectUser } from './dialogs.js'
import { toast } from './dom.js'
import { AppFrame } from './frame.js'
import { closeHolding, openSlider } from './slider.js'

const CARD = /^\/crm\/(contact|company|deal|lead)\/(?:details|show)\/(\d+)\/?$/
const OPENABLE = /^\/(crm\/(deal|lead|contact|company|type)\/|marketplace\/|company\/personal\/user\/\d+\/|workgroups\/group\/\d+\/)/
// The portal chooses the width of the panel by the address, and SDKs use that on purpose.
const WIDTHS = [[/^\/company\/personal\/user\//, 1200], [/^\/crm\/company\/requisite\//, 950], [/^\/workgroups\/group\//, 900]]

function setting(params, name) {
  const value = Number.parseInt(params[`bx24_${name}`])
  return value > 0 ? value : null
}

async function openApplication(frame, params, reply) {
  const options = { ...params, IFRAME: 'Y', IFRAME_TYPE: 'SIDE_SLIDER' }
  const inner = new AppFrame({ app: frame.app, options, kind: 'slider' })
  await openSlider({
    content: inner.element,
    width: setting(params, 'width'),
    left: setting(params, 'leftBoundary'),
    label: params.bx24_label?.text ?? '',
  })
  reply({ result: 'close' })
}

async function openPath(frame, { path = '' }, reply) {
  if (!OPENABLE.test(path)) return reply({ result: 'error', errorCode: 'PATH_NOT_AVAILABLE' })
  const target = new URL(path.replace(/(\.\.)\/{2,}/, '$1/'), location.origin)
  const card = target.origin === location.origin && CARD.exec(target.pathname)
  if (!card) return reply({ result: 'error', errorCode: 'PATH_NOT_AVAILABLE' })
  const width = WIDTHS.find(([prefix]) => prefix.test(path))?.[1]
  await openCard(card[1], Number(card[2]), { width })
  return reply({ result: 'close' })
}

async function installFinish(frame, _, reply) {
  try {
    await post(`apps/${encodeURIComponent(frame.app)}/finish`)
  } catch (error) {
    return toast(error.message, true)
  }
  reply({})
  setTimeout(() => location.reload(), 50)
}

async function saveOption(frame, scope, { name, value }, reply) {
  try {
    await post(`apps/${encodeURIComponent(frame.app)}/options`, { scope, name, value })
    reply({})
  } catch (error) {
    toast(error.message, true)
  }
}

export const commands = {
  getInitData: (frame, _, reply) => reply(frame.opened.init),
  refreshAuth: async (frame, _, reply) => {
    const auth = await post(`apps/${encodeURIComponent(frame.app)}/auth`)
    Object.assign(frame.opened.init, auth)
    reply(auth)
  },
  setInstall: (frame, params, reply) => reply({}),
  setInstallFinish: installFinish,
  setAppOption: (frame, params, reply) => saveOption(frame, 'app', params, reply),
  setUserOption: (frame, params, reply) => saveOption(frame, 'user', params, reply),
  resizeWindow: (frame, { width, height }, reply) => {
    if (frame.resize(width, height)) reply({ width, height })
  },
  setTitle: (frame, { title }, reply) => {
    if (frame.kind === 'tab') return
    document.title = title
    reply({})
  },
  setScroll: (frame, { scroll }, reply) => {
    if (frame.kind === 'tab') return
    (frame.element.closest('.slider-body') ?? document.scrollingElement).scrollTo({ top: scroll })
    reply({})
  },
  reloadWindow: frame => frame.load(),
  openApplication,
  // Fire and forget: the telephony of the portal takes it from there.
  imPhoneTo: (_, { phone }) => toast(`Звонок: ${phone}`),
  closeApplication: frame => { closeHolding(frame.element) },
  openPath,
  selectUser: async (frame, { mult }, reply) => {
    const chosen = await selectUser(Boolean(mult))
    if (chosen) reply(mult ? chosen : chosen[0])
  },
  selectCRM: async (frame, params, reply) => {
    const chosen = await selectCrm(params)
    if (chosen) reply(chosen)
  },
  getInterface: (frame, _, reply) => {
    reply({ command: Object.keys(frame.placementCommands ?? {}), event: frame.placementEvents ?? [] })
  },
  // No place of this portal has events of its own, and unknown ones are passed over in silence.
  placementBindEvent: () => {},
}
