import { once as emitted } from 'node:events'
import { mkdirSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { consumer, createRelay, PermanentError } from '@oncekey/outbox'
import { migrate, postgresLog, postgresStore } from '@oncekey/postgres'
import { findChromium, freshDatabase, waitFor } from '@oncekey/test-servers'
import axe from 'axe-core'
import express from 'express'
import { Pool } from 'pg'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { dashboard } from '../src/index.ts'
import { toNode } from '../src/node.ts'
import { finish, leaveUnknown, NAME } from './claims.ts'

const closing: (() => Promise<unknown>)[] = []
let browser: Browser
let page: Page
let base: string
const seen: string[] = []
const complaints: string[] = []

beforeAll(async () => {
  const database = await freshDatabase(inject('postgresUrl'))
  closing.push(() => database.drop())
  const pool = new Pool({ connectionString: database.url, max: 6 })
  closing.push(() => pool.end())
  await migrate(pool)
  const store = postgresStore({ client: pool, mode: 'lease' })
  const log = postgresLog({ client: pool })
  await leaveUnknown(store, 'lost-1')
  await leaveUnknown(store, 'lost-2')
  for (let n = 1; n <= 60; n++) await finish(store, `order-${n}`, `{"id":${n}}`)
  await log.append(
    ['a@shop.example', 'nobody@', 'b@shop.example'].map((to, n) => ({
      id: `0190b5a0-0000-7000-8000-00000000000${n}`,
      type: 'order.placed',
      source: '/orders',
      subject: to,
      orderingKey: to,
      data: JSON.stringify({ to, total: '9007199254740993' }),
      headers: {},
      occurredAt: new Date(),
    })),
  )
  let tried = 0
  const relay = createRelay({
    log,
    consumers: [
      consumer({
        name: 'mailer',
        types: ['order.placed'],
        handle({ event }) {
          tried++
          if (event.subject === 'nobody@') throw new PermanentError('There is no such address.')
        },
      }),
    ],
  })
  relay.start()
  await waitFor(async () => tried === 3 && (await log.deadLetters.stats()).depth === 1, {
    what: 'the dead letter',
  })
  await relay.stop()

  const app = express()
  const show = dashboard({
    store,
    deadLetters: [log.deadLetters],
    lag: { log, consumers: ['mailer'] },
    authorize: () => ({ actor: 'maria@shop.example', may: 'all' }),
  })
  app.use('/admin/oncekey', toNode(show))
  const server = app.listen(0, '127.0.0.1')
  await emitted(server, 'listening')
  closing.push(async () => server.close())
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/admin/oncekey`
  browser = await chromium.launch({
    executablePath: await findChromium(),
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  })
  closing.push(() => browser.close())
  page = await browser.newPage()
  page.on('request', (request) => seen.push(request.url()))
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
})
afterAll(async () => {
  for (const close of closing.reverse()) await close()
})

const heading = () => page.textContent('h1')

test('an operator frees one lost key, answers for the other, and finds both in the audit', async () => {
  await page.goto(base)
  expect(page.url()).toBe(`${base}/`)
  await page.click('text=Keys of unknown outcome')
  expect(await page.locator('tbody tr').count()).toBe(2)

  await page.click('text=lost-1')
  await page.fill('form[action=release] [name=note]', 'the gateway never saw it')
  await page.check('form[action=release] [name=confirmed]')
  await page.click('text=It did nothing: let a retry run')
  expect(await page.textContent('.said')).toContain('Done: release')

  await page.goto(`${base}/keys?state=unknown`)
  await page.click('text=lost-2')
  await page.fill('form[action=answer] [name=body]', '{"id":2}')
  await page.fill('form[action=answer] [name=note]', 'charged, see the gateway')
  await page.check('form[action=answer] [name=confirmed]')
  await page.click('text=It took effect: answer retries with this')
  expect(await page.textContent('.said')).toContain('Done: answer')
  await page.click('text=Show the body')
  expect(await page.textContent('pre')).toBe('{"id":2}')

  await page.click('nav >> text=Audit')
  const rows = await page.locator('tbody tr').allTextContents()
  expect(rows.map((row) => /keys\.(release|answer|forget)/.exec(row)?.[0])).toEqual([
    'keys.answer',
    'keys.release',
  ])
  expect(rows[1]).toContain('maria@shop.example')
  expect(rows[1]).toContain('the gateway never saw it')
})

test('keys are looked through a page at a time, and a page of theirs can be shared', async () => {
  await page.goto(`${base}/keys?namespace=${NAME.namespace}&scope=${NAME.scope}&prefix=order-`)
  expect(await page.locator('tbody tr').count()).toBe(50)
  await page.click('text=Further ones')
  expect(await page.locator('tbody tr').count()).toBe(10)
  await page.goto(page.url())
  expect(await page.locator('tbody tr').count()).toBe(10)
})

test('a dead letter is found by its kind of error, with its attempt and its data, numbers exact', async () => {
  await page.goto(`${base}/dead-letters`)
  await page.click('text=PermanentError: There is no such address.')
  await page.click('tbody >> text=0190b5a0-0000-7000-8000-000000000001')
  expect(await heading()).toBe('Dead letter')
  expect(await page.textContent('pre')).toContain('9007199254740993')
  expect(await page.textContent('main')).toContain('nobody@')
})

test('what is not there says so', async () => {
  for (const [path, status, sentence] of [
    ['nowhere', 404, 'There is no such page'],
    ['keys/one?namespace=http&scope=x&key=y', 404, 'Nothing is known of this key'],
    ['dead-letters/one?id=1', 404, 'no such letter'],
    ['dead-letters?source=x', 404, 'There are those of consumers'],
    ['keys?scope=x', 400, 'fill in both'],
    ['keys?after=nonsense', 400, ''],
  ] as const) {
    const response = await page.goto(`${base}/${path}`)
    expect(response?.status(), path).toBe(status)
    expect(await page.textContent('[role=alert]'), path).toContain(sentence)
  }
  complaints.length = 0
})

const PAGES = [
  ['overview', ''],
  ['keys', 'keys'],
  ['key', `keys/one?namespace=${NAME.namespace}&scope=${NAME.scope}&key=order-1&body=shown`],
  ['dead-letters', 'dead-letters'],
  ['consumers', 'consumers'],
  ['audit', 'audit'],
] as const

test.each(PAGES)(
  '%s: readable for everybody, in both themes and on a phone',
  async (name, path) => {
    const pictures = process.env.DASHBOARD_PICTURES
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const [size, viewport] of [
        ['wide', { width: 1_280, height: 800 }],
        ['phone', { width: 390, height: 844 }],
      ] as const) {
        await page.setViewportSize(viewport)
        await page.emulateMedia({ colorScheme })
        await page.goto(`${base}/${path}`)
        const overflows = await page.evaluate(WIDER)
        expect(overflows, `${size} scrolls sideways`).toBe(false)
        const violations = await violationsOf(page)
        expect(violations, `${colorScheme}, ${size}`).toEqual([])
        if (pictures !== undefined) {
          mkdirSync(pictures, { recursive: true })
          await page.screenshot({
            path: `${pictures}/${name}-${size}-${colorScheme}.png`,
            fullPage: true,
          })
        }
      }
    }
  },
)

test('nothing is asked of another origin, and the browser has nothing to complain of', () => {
  expect(
    seen.filter((url) => !url.startsWith(new URL(base).origin) && !url.startsWith('data:')),
  ).toEqual([])
  expect(complaints).toEqual([])
})

// As text: the tests know no types of a browser.
const WIDER = 'document.documentElement.scrollWidth > document.documentElement.clientWidth'

/** By axe, which runs beside the page's own policy. */
async function violationsOf(at: Page): Promise<string[]> {
  const session = await at.context().newCDPSession(at)
  await session.send('Runtime.evaluate', { expression: axe.source })
  const { result } = await session.send('Runtime.evaluate', {
    expression: `axe.run().then(({ violations }) => JSON.stringify(violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' '))))`,
    awaitPromise: true,
  })
  return JSON.parse(String(result.value))
}
