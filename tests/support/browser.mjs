// Drives one headless Chromium for the tests: reads commands as JSON lines, answers as JSON lines.
// Started by browser.py, which documents every command.
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const { chromium } = createRequire(`${process.cwd()}/package.json`)('playwright-core')
const settings = JSON.parse(process.argv[2])

const browser = await chromium.launch({
  executablePath: settings.chromium,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
    '--disable-site-isolation-trials', // frames stay in their page's process: clicks into others get lost under load
    '--test-third-party-cookie-phaseout'], // a frame of another site keeps no cookies, as more and more people have it
})
let wanted, context, page, errors, requests

function watch(tab) {
  tab.on('console', message => {
    if (message.type() === 'error') errors.push(`console: ${message.text()}`)
  })
  tab.on('pageerror', error => errors.push(`script: ${error.message}`))
  tab.on('response', response => {
    requests.push({ status: response.status(), method: response.request().method(), url: response.url() })
  })
}

// The profile is made by the first command that needs it: many are forgotten before that.
async function fresh({ width, height, options }) {
  wanted = {
    viewport: { width, height }, locale: 'ru-RU', timezoneId: 'Europe/Moscow', ...options,
  }
  const old = context
  context = undefined
  await old?.close()
  errors = []
  requests = []
}

async function open() {
  context = await browser.newContext(wanted)
  context.setDefaultTimeout(settings.timeout)
  page = await context.newPage()
  watch(page)
}

// `frame` is a list of selectors, each an iframe inside the one before it.
function locate({ selector, frame = [] }) {
  let scope = page
  for (const step of frame) scope = scope.frameLocator(step)
  return scope.locator(selector)
}

// A page or frame that is just being replaced is tried again until the time is up.
async function patiently(action) {
  for (const deadline = Date.now() + settings.timeout; ;) {
    try {
      return await action()
    } catch (error) {
      if (Date.now() > deadline || !/context|detached|not attached|navigat/i.test(error.message)) throw error
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
}

async function inner({ frame = [] }) {
  let scope = page.mainFrame()
  for (const step of frame) {
    const element = await scope.waitForSelector(step, { state: 'attached' })
    scope = await element.contentFrame()
    if (!scope) throw new Error('the frame was detached')
  }
  return scope
}

// Counts and lists look at what is there; whoever needs to wait says so with `wait`.
const commands = {
  fresh,
  goto: async ({ url }) => (await page.goto(url))?.status() ?? null,
  reload: async () => { await page.reload() },
  back: async () => { await page.goBack() },
  url: () => page.url(),
  title: () => page.title(),
  click: async args => { await locate(args).first().click() },
  hover: async args => { await locate(args).first().hover() },
  fill: async args => { await locate(args).first().fill(args.value) },
  select: async args => { await locate(args).first().selectOption(args.value) },
  press: async args => {
    if (args.selector) await locate(args).first().press(args.key)
    else await page.keyboard.press(args.key)
  },
  text: args => locate(args).first().innerText(),
  texts: args => locate(args).allInnerTexts(),
  value: args => locate(args).first().inputValue(),
  attribute: args => locate(args).first().getAttribute(args.name),
  count: args => locate(args).count(),
  visible: args => locate(args).first().isVisible(),
  box: args => locate(args).first().boundingBox(),
  wait: async args => { await locate(args).first().waitFor({ state: args.state }) },
  wait_for: args => patiently(async () => {
    await (await inner(args)).waitForFunction(args.expression, null, { polling: 50 })
  }),
  eval: async args => (await patiently(() => inner(args))).evaluate(args.expression),
  viewport: async ({ width, height }) => { await page.setViewportSize({ width, height }) },
  screenshot: async args => {
    if (args.selector) await locate(args).first().screenshot({ path: args.path })
    else await page.screenshot({ path: args.path, fullPage: args.full })
  },
  errors: () => errors,
  requests: () => requests,
  forget: () => { errors = []; requests = [] },
}

process.stdout.write('{"ready":true}\n')
for await (const line of createInterface({ input: process.stdin })) {
  const { command, args } = JSON.parse(line)
  let answer
  try {
    if (command !== 'fresh' && !context) await open()
    answer = { value: (await commands[command](args)) ?? null }
  } catch (error) {
    answer = { error: error.message }
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
await browser.close()
