import { createServer } from 'node:http'
import { waitFor } from '@oncekey/test-servers'
import { closed, EVENTS, listening, NAME, receiptsDue, troubledShop } from '@oncekey/test-shop'
import express from 'express'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { dashboard } from '../src/index.ts'
import { toNode } from '../src/node.ts'
import { expectReadable, openBrowser, type Watched } from './chromium.ts'

const closing: (() => Promise<unknown>)[] = []
let shop: Awaited<ReturnType<typeof troubledShop>>
let browser: Watched
let page: Page
let base: string

beforeAll(async () => {
  shop = await troubledShop()
  closing.push(() => shop.close())
  const show = dashboard({
    store: shop.store,
    deadLetters: [shop.log.deadLetters, shop.hooks.deadLetters, shop.sagas.deadLetters],
    lag: { log: shop.log, consumers: ['mailer', 'webhooks'] },
    consumers: shop.consumers,
    events: shop.events,
    webhooks: shop.hooks,
    sagas: shop.sagas,
    authorize: () => ({ actor: 'maria@shop.example', may: 'all' }),
  })
  const server = createServer(express().use('/admin/oncekey', toNode(show)))
  base = `${await listening(server)}/admin/oncekey`
  closing.push(() => closed(server))
  browser = await openBrowser()
  closing.push(() => browser.close())
  page = browser.page
})
afterAll(async () => {
  for (const close of closing.reverse()) await close()
})

const heading = () => page.textContent('h1')

/** Fills in a form and sends it. */
async function act(action: string, note: string, label: string): Promise<void> {
  const form = page.locator(`form[action="${action}"]:visible`)
  await form.locator('[name=note]').fill(note)
  await form.locator('[name=confirmed]').check()
  await page.click(`button:text-is("${label}")`)
}

const PAGES = [
  ['overview', ''],
  ['keys', 'keys'],
  ['key', `keys/one?namespace=${NAME.namespace}&scope=${NAME.scope}&key=lost-1`],
  [
    'key-finished',
    `keys/one?namespace=${NAME.namespace}&scope=${NAME.scope}&key=order-1&body=shown`,
  ],
  ['events', 'events'],
  ['event', `events/one?id=${EVENTS[1]}`],
  ['dead-letters', 'dead-letters'],
  ['dead-letter', 'dead-letters/one?source=consumers&id=LETTER'],
  ['redrive', 'dead-letters/preview?source=webhooks'],
  ['redrives', 'redrives?source=webhooks'],
  ['consumers', 'consumers'],
  ['webhooks', 'webhooks'],
  ['webhook-endpoint', 'webhooks/endpoint?id=ENDPOINT'],
  ['webhook-delivery', 'webhooks/delivery?id=1'],
  ['sagas', 'sagas'],
  ['saga-run', 'sagas/run?id=order-17'],
  ['saga-undone', 'sagas/run?id=gift-1'],
  ['audit', 'audit'],
] as const

test.each(PAGES)('%s: readable for everybody, in both themes and on a phone', (name, path) =>
  expectReadable(
    page,
    name,
    `${base}/${path.replace('ENDPOINT', shop.endpointId).replace('LETTER', shop.letterId)}`,
  ),
)

test('an operator frees one lost key, answers for the other, and finds both in the audit', async () => {
  await page.setViewportSize({ width: 1_280, height: 800 })
  await page.goto(base)
  expect(page.url()).toBe(`${base}/`)
  await page.click('text=Keys of unknown outcome')
  expect(await page.locator('tbody tr').count()).toBe(2)

  await page.click('text=lost-1')
  await act('release', 'the gateway never saw it', 'It did nothing: let a retry run')
  expect(await page.textContent('.said')).toContain('Done: release')

  await page.goto(`${base}/keys?state=unknown`)
  await page.click('text=lost-2')
  await page.fill('form[action=answer] [name=body]', '{"id":2}')
  await act('answer', 'charged, see the gateway', 'It took effect: answer retries with this')
  expect(await page.textContent('.said')).toContain('Done: answer')
  await page.click('text=Show the body')
  expect(await page.textContent('pre')).toBe('{"id":2}')

  await page.click('nav >> text=Audit')
  const rows = await page.locator('tbody tr').allTextContents()
  const acts = rows.map((row) => /keys\.(release|answer|forget)/.exec(row)?.[0])
  expect(acts.filter((each) => each !== undefined)).toEqual(['keys.answer', 'keys.release'])
  const released = rows.find((row) => row.includes('keys.release'))
  expect(released).toContain('maria@shop.example')
  expect(released).toContain('the gateway never saw it')
})

test('keys are looked through a page at a time, and a page of theirs can be shared', async () => {
  await page.goto(`${base}/keys?namespace=${NAME.namespace}&scope=${NAME.scope}&prefix=order-`)
  expect(await page.locator('tbody tr').count()).toBe(50)
  await page.click('text=Further ones')
  expect(await page.locator('tbody tr').count()).toBe(10)
  await page.goto(page.url())
  expect(await page.locator('tbody tr').count()).toBe(10)
})

test('an event is found by its type, with what consumers, webhooks and a saga made of it', async () => {
  await page.goto(`${base}/events?type=order.*&subject=nobody@`)
  expect(await page.locator('tbody tr').count()).toBe(1)
  await page.click(`text=${EVENTS[1]}`)
  expect(await page.textContent('pre')).toContain('9007199254740993')
  expect(await page.textContent('tr:has-text("mailer")')).toContain('dead')
  expect(await page.textContent('tr:has-text("status 503")')).toContain('dead')
  await page.click('h2:text-is("Saga") + p a')
  expect(await heading()).toBe('Saga run')
})

test('a dead letter is found by its kind of error, redriven, and delivered', async () => {
  await page.goto(`${base}/dead-letters`)
  await page.click('text=PermanentError: There is no such address.')
  await page.click(`tbody >> text=${EVENTS[1]}`)
  expect(await heading()).toBe('Dead letter')
  expect(await page.textContent('pre')).toContain('9007199254740993')
  shop.state.mailsFail = false
  const before = shop.state.mails
  await act('redrive', 'the address is mended', 'Redrive it')
  expect(await page.textContent('.said')).toContain('Done: redrive')
  await shop.deliver()
  expect(shop.state.mails).toBe(before + 1)
  await page.goto(page.url())
  expect(await page.textContent('dl')).toContain('resolved')
  expect(await page.locator('form.act').count()).toBe(0)
})

test('a letter whose data is wrong is edited, and the one in its place is delivered', async () => {
  await shop.log.append(receiptsDue(1))
  await shop.deliver()
  await page.goto(`${base}/dead-letters?type=receipt.due`)
  await page.click('tbody >> text=0190b5a0-0000-7000-8001')
  expect(await page.inputValue('[name=data]')).toContain('9007199254740993')
  await page.fill('[name=data]', '{"order":9007199254740995}')
  shop.state.mailServerIsDown = false
  const before = shop.state.mails
  await act('edit', 'the sum was wrong', 'Redrive it with this data')
  expect(await page.textContent('.said')).toContain('Done: this took its place')
  expect(await page.textContent('pre')).toContain('9007199254740995')
  await shop.deliver()
  expect(shop.state.mails).toBe(before + 1)
})

test('a preview shows what a redrive takes, and a stale letter says what is true of it', async () => {
  await page.goto(`${base}/dead-letters?source=webhooks`)
  await page.click('text=Redrive those that match')
  expect(await page.textContent('main p')).toContain('3 dead letters match')
  const stale = `${base}/dead-letters/one?source=webhooks&id=1`
  await page.goto(stale)
  const other = await page.context().newPage()
  await other.goto(`${base}/dead-letters/preview?source=webhooks`)
  await other.fill('[name=limit]', '2')
  await other.fill('[name=note]', 'the warehouse is back')
  await other.check('[name=confirmed]')
  await other.click('text=Redrive them, the oldest first')
  expect(await other.textContent('dl')).toContain('20 a second')
  await waitFor(
    async () => {
      await shop.hooks.deadLetters.redrives?.carry()
      await other.goto(other.url())
      return (await other.textContent('dl'))?.includes('2 redriven, 0 refused, of 3') === true
    },
    { what: 'the redrive to be carried' },
  )
  await other.close()
  await act('redrive', 'the warehouse is back', 'Redrive it')
  expect(await page.textContent('.said')).toContain('Nothing was changed: it is retrying')
  await page.goto(`${base}/dead-letters?source=webhooks`)
  expect(await page.textContent('main')).toContain('of 1')
})

test('a consumer is paused, which all can see, and resumed', async () => {
  await page.goto(`${base}/consumers`)
  await page.click('summary:text-is("Pause mailer")')
  await act('consumers/pause', 'the mail server is away', 'Pause mailer')
  expect(await page.textContent('tr:has-text("mailer")')).toContain('the mail server is away')
  await page.click('summary:text-is("Resume mailer")')
  await act('consumers/resume', 'it is back', 'Resume mailer')
  expect(await page.textContent('tr:has-text("mailer")')).not.toContain('is away')
})

test('everything of a time is sent to an endpoint again, as a redrive on record', async () => {
  await page.goto(`${base}/webhooks/endpoint?id=${shop.endpointId}`)
  await page.fill('[name=since]', '2026-01-01T00:00:00Z')
  await act('replay', 'they lost a day', 'Send everything of that time again')
  expect(await heading()).toBe('Redrive')
  await act('cancel', 'it was another day', 'Cancel it')
  expect(await page.textContent('dl')).toContain('cancelled')
  await page.click('nav >> text=Redrives')
  await page.selectOption('[name=source]', 'webhooks')
  await page.click('text=Look')
  expect(await page.locator('tbody tr').count()).toBe(2)
})

test('a letter is discarded with a note, for good', async () => {
  await page.goto(`${base}/dead-letters/one?source=webhooks&id=3`)
  await act('discard', 'sent by hand', 'Discard it')
  expect(await page.textContent('.said')).toContain('Done: discard')
  expect(await page.textContent('dl')).toContain('discarded')
})

test('a delivery shows its request with the signature and each response; it is sent again', async () => {
  shop.state.receiverAnswers = 204
  await shop.deliver()
  await page.goto(`${base}/webhooks`)
  await page.click('text=/hooks?of=shop')
  await page.click('td >> text="2"')
  const request = (await page.textContent('h2:text-is("Request") ~ pre')) ?? ''
  expect(request).toMatch(/^POST http:\/\/127\.0\.0\.1:\d+\/hooks\?of=shop\n/)
  expect(request).toContain('authorization: (not shown)')
  expect(request).toMatch(/\nwebhook-signature: v1,\S{44}\n/)
  expect(await page.textContent('details')).toContain('out of <b>order</b>')
  await act('retry', 'the warehouse asked for it', 'Send it now')
  expect(await page.textContent('.said')).toContain('Done: retry')
  await shop.deliver()
  await page.goto(page.url())
  expect(await page.textContent('dl')).toContain('delivered')
})

test('an endpoint is pinged, gets a new secret that is shown once, is paused and enabled', async () => {
  const address = `${base}/webhooks/endpoint?id=${shop.endpointId}`
  await page.goto(address)
  await page.click('text="Ping"')
  expect(await page.textContent('dl')).toContain('204')
  await page.click('text=Back to the endpoint')
  await act('rotate', 'the old one leaked', 'Rotate its secret')
  const secret = (await page.textContent('pre')) ?? ''
  expect(secret).toMatch(/^whsec_\S+$/)
  const [newest] = await shop.hooks.endpoints.secrets(shop.endpointId)
  expect(newest?.secret).toBe(secret)
  await page.click('text=Back to the endpoint')
  expect(await page.content()).not.toContain('whsec_')
  await act('pause', 'they move', 'Pause')
  expect(await page.textContent('dl')).toContain('they move')
  await act('enable', 'they have moved', 'Enable')
  expect((await shop.hooks.endpoints.get(shop.endpointId))?.status).toBe('enabled')
})

test('a saga that is stuck shows where; it is resumed, and goes on to its end', async () => {
  await page.goto(base)
  await page.click('text=Sagas that need a person')
  await page.click('text=order-17')
  const states = () => page.evaluate(STATES)
  expect(await states()).toEqual(['done', 'done', 'stuck', 'to-come'])
  await act('resume', 'the carrier answers again', 'Go on from where it stopped')
  expect(await page.textContent('.said')).toContain('Done: resume')
  await shop.drive('order-17')
  await page.goto(page.url())
  expect(await states()).toEqual(['done', 'done', 'done', 'done'])
  expect(await page.locator('form.act').count()).toBe(0)
})

test('a saga past its pivot is not undone by mistake, and is settled by hand', async () => {
  await page.goto(`${base}/sagas/run?id=${EVENTS[1]}`)
  await act('compensate', 'the customer is gone', 'Undo what it has done')
  expect(await page.textContent('.said')).toContain('past its pivot')
  await act('settle', 'refunded by hand', 'It was put right by hand: end it as it is')
  expect(await page.textContent('dl')).toContain('settled')
})

test('what is not there says so', async () => {
  for (const [path, status, sentence] of [
    ['nowhere', 404, 'There is no such page'],
    ['keys/one?namespace=http&scope=x&key=y', 404, 'Nothing is known of this key'],
    ['dead-letters/one?id=1000', 404, 'no such letter'],
    ['dead-letters?source=x', 404, 'There are those of consumers'],
    ['events/one?id=x', 404, 'no such event'],
    ['events?after=x', 400, ''],
    ['webhooks/endpoint?id=x', 404, 'no such endpoint'],
    ['webhooks/delivery?id=x', 404, 'no such delivery'],
    ['webhooks?status=x', 400, 'These there are'],
    ['sagas/run?id=x', 404, 'no such run'],
    ['sagas?state=x', 400, 'These there are'],
    ['keys?scope=x', 400, 'fill in both'],
    ['keys?after=nonsense', 400, ''],
  ] as const) {
    const response = await page.goto(`${base}/${path}`)
    expect(response?.status(), path).toBe(status)
    expect(await page.textContent('[role=alert]'), path).toContain(sentence)
  }
  browser.complaints.length = 0
})

test('nothing is asked of another origin, and the browser has nothing to complain of', () => {
  const ours = new URL(base).origin
  const foreign = browser.seen.filter((url) => !url.startsWith(ours) && !url.startsWith('data:'))
  expect(foreign).toEqual([])
  expect(browser.complaints).toEqual([])
})

// A string, because the tests have no types of the browser.
const STATES = `[...document.querySelectorAll('.flow li')].map((item) => item.dataset.state)`
