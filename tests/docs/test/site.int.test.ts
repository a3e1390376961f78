import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { findChromium } from '@oncekey/test-servers'
import axe from 'axe-core'
import { type Browser, chromium } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type BuiltPage, builtPages, deadAnchors } from '../src/built-pages.ts'
import { type Site, startSite } from '../src/site.ts'

/** Ten pages of different kinds: text, long tables, code, pictures, a diagram, generated ones. */
const TEN = [
  '/',
  '/tutorial',
  '/packages/express',
  '/bridges',
  '/stores',
  '/dashboard',
  '/telemetry',
  '/http',
  '/errors/',
  '/decisions/',
]

const PHONE = { width: 390, height: 844 }

let site: Site
let browser: Browser
let pages: BuiltPage[]

beforeAll(async () => {
  site = await startSite()
  pages = builtPages(site.folder)
  browser = await chromium.launch({
    executablePath: await findChromium(),
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  })
}, 240_000)

afterAll(async () => {
  await browser?.close()
  await site?.stop()
})

test('every link to a heading or a row finds it', () => {
  expect(deadAnchors(pages)).toEqual([])
})

test('every page is in the sidebar, which is on every page of its kind', () => {
  const listed = (address: string) =>
    new Set(
      [
        ...(pages.find((page) => page.address === address)?.html ?? '').matchAll(
          /href="(\/[^"#]*)"/g,
        ),
      ].map(([, href]) => href),
    )
  const bars = [
    listed('/'),
    listed('/decisions/'),
    listed('/errors/key-reused'),
    listed('/alerts/OncekeyKeysUnknown'),
  ]
  const lost = pages.filter(({ address }) => !bars.some((bar) => bar.has(address)))
  expect(lost.map(({ address }) => address)).toEqual([])
})

test('every page has its Markdown beside it, and llms.txt lists it', () => {
  const list = readFileSync(join(site.folder, 'llms.txt'), 'utf8')
  const lost = pages
    .map(({ address }) => `${address.endsWith('/') ? `${address}index` : address}.md`)
    .filter((file) => !existsSync(join(site.folder, file)) || !list.includes(`(${file})`))
  expect(lost).toEqual([])
})

test.each(TEN)('%s asks no other host, complains of nothing, and axe finds nothing', async (at) => {
  const page = await browser.newPage()
  const foreign: string[] = []
  const complaints: string[] = []
  page.on('request', (request) => {
    const url = request.url()
    if (!url.startsWith(site.url) && !url.startsWith('data:')) foreign.push(url)
  })
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  try {
    await page.goto(`${site.url}${at}`, { waitUntil: 'networkidle' })
    expect(await violations(page, {})).toEqual([])
    await page.emulateMedia({ colorScheme: 'dark' })
    expect(await violations(page, { runOnly: ['color-contrast'] })).toEqual([])
    // A phone gets another navigation.
    await page.setViewportSize(PHONE)
    expect(await violations(page, {})).toEqual([])
    await page.evaluate('window.scrollTo(10_000, 0)')
    expect(await page.evaluate('window.scrollX')).toBe(0)
  } finally {
    await page.close()
  }
  expect(foreign).toEqual([])
  expect(complaints).toEqual([])
})

test.each(TEN)('%s can be read without JavaScript, and on a phone', async (at) => {
  const context = await browser.newContext({
    javaScriptEnabled: false,
    viewport: PHONE,
  })
  const page = await context.newPage()
  try {
    await page.goto(`${site.url}${at}`)
    // biome-ignore lint/performance/useDomNodeTextContent: it asks what is rendered without scripts
    const words = (await page.locator('.vp-doc').innerText()).split(/\s+/).length
    expect(words).toBeGreaterThan(100)
    await page.evaluate('window.scrollTo(10_000, 0)')
    expect(await page.evaluate('window.scrollX')).toBe(0)
  } finally {
    await context.close()
  }
})

test.each([
  ['store-too-new', /store-too-new/],
  // Decisions have these words more often than the page that says how to do it.
  ['emit orderingKey', /^\/outbox/],
  // And the page for contributors, which says how the code does it.
  ['write an adapter', /^\/(adapters|packages\/)/],
  ['retry schedule webhooks', /^\/(webhooks|packages\/webhooks)/],
  ['setnx', /^\/comparison/],
  ['events do not arrive', /^\/questions/],
  ['PgBouncer', /^\/stores#pgbouncer/],
  ['deadlock 40P01', /^\/stores/],
  ['GDPR', /^\/(questions|operating)/],
  ['multer', /^\/(http|packages\/(express|nestjs))/],
  ['delay an event', /^\/(questions|outbox)/],
])('the search finds the page that answers: %s', async (asked, answer) => {
  const page = await browser.newPage()
  try {
    await page.goto(`${site.url}/`, { waitUntil: 'networkidle' })
    const input = page.locator('#localsearch-input')
    // Repeated, because a key that is pressed before the page's script listens does nothing.
    await expect
      .poll(async () => {
        if ((await input.count()) === 0) await page.keyboard.press('/')
        return input.count()
      })
      .toBe(1)
    await input.fill(asked)
    await page.waitForSelector('.result')
    expect(await page.locator('.result').first().getAttribute('href')).toMatch(answer)
  } finally {
    await page.close()
  }
})

type Page = Awaited<ReturnType<Browser['newPage']>>

async function violations(page: Page, options: { runOnly?: string[] }): Promise<string[]> {
  await page.evaluate(axe.source)
  return page.evaluate(`axe.run(${JSON.stringify(options)}).then(({ violations }) =>
    violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' ')))`)
}
