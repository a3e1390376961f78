import { findChromium } from '@oncekey/test-servers'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { bundleClient, type OrdersSite, startOrdersSite } from './orders-site.ts'

let script: string
let site: OrdersSite
let browser: Browser
let page: Page

beforeAll(async () => {
  script = await bundleClient()
  browser = await chromium.launch({
    executablePath: await findChromium(),
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  })
})
afterAll(() => browser?.close())

beforeEach(async () => {
  site = await startOrdersSite(script)
  page = await (await browser.newContext()).newPage()
  await open(site.url)
})
afterEach(async () => {
  await page?.context().close()
  await site?.close()
})

test.each(['is lost', 'is cut'] as const)(
  'an answer that %s is asked for again with the same key',
  async (fate) => {
    site.fates(fate, fate)
    const got = await page.evaluate(async () => {
      const fetch = client.createFetch({ baseDelayMs: 1 })
      const response = await fetch('orders', { method: 'POST', body: 'violin' })
      return {
        status: response.status,
        body: await response.json(),
        url: response.url,
        replayed: client.isReplayed(response),
        key: client.keyOf(response),
      }
    })
    expect(got).toEqual({
      status: 201,
      body: { number: 1, item: 'violin' },
      url: `${site.url}orders`,
      replayed: true,
      key: site.keys[0],
    })
    expect(site.orders).toEqual(['violin'])
    expect(new Set(site.keys).size).toBe(1)
  },
)

test('a reloaded page goes on with the key that the first one left behind', async () => {
  site.fates('never comes')
  const order = () =>
    page.evaluate(async () => {
      const fetch = client.createFetch({ pending: { storage: localStorage } })
      const response = await fetch('orders', { method: 'POST', body: 'cello', operation: 'order' })
      return { body: await response.json(), replayed: client.isReplayed(response) }
    })
  const abandoned = order().catch((error: Error) => error.message)
  await vi.waitUntil(() => site.orders.length === 1)
  expect(await page.evaluate(() => localStorage.length)).toBe(1)

  await page.reload()
  await ready()
  expect(await abandoned).toMatch(/context was destroyed|navigation/)
  expect(await order()).toEqual({ body: { number: 1, item: 'cello' }, replayed: true })
  expect(site.orders).toEqual(['cello'])
  expect(new Set(site.keys).size).toBe(1)

  expect(await page.evaluate(() => localStorage.length)).toBe(0)
  expect(await order()).toEqual({ body: { number: 2, item: 'cello' }, replayed: false })
  expect(new Set(site.keys).size).toBe(2)
})

test('a stream that is cut keeps its key over a reload, and one that has been read does not', async () => {
  site.fates('is cut')
  const order = () =>
    page.evaluate(async () => {
      const fetch = client.createFetch({ pending: { storage: localStorage }, response: 'stream' })
      const init = { method: 'POST', body: 'lute', operation: 'order' }
      const response = await fetch('orders', init)
      const { url, redirected, type, status } = response
      const facts = { url, redirected, type, status, replayed: client.isReplayed(response) }
      const body = await response.json().catch((error: Error) => error.name)
      return { ...facts, body, left: localStorage.length }
    })
  const facts = { url: `${site.url}orders`, redirected: false, type: 'basic', status: 201 }
  const cut = { ...facts, replayed: false, body: expect.any(String), left: 1 }
  expect(await order()).toEqual(cut)
  await page.reload()
  await ready()
  const whole = { ...facts, replayed: true, body: { number: 1, item: 'lute' } }
  expect(await order()).toMatchObject(whole)
  await vi.waitUntil(async () => (await page.evaluate(() => localStorage.length)) === 0)
  expect(site.orders).toEqual(['lute'])
  expect(new Set(site.keys).size).toBe(1)
})

test('many calls at once have one effect each, whatever becomes of their answers', async () => {
  site.fates(
    ...Array.from({ length: 60 }, (_, n) => (['is lost', 'arrives', 'is cut'] as const)[n % 3]!),
  )
  const items = await page.evaluate(async () => {
    const fetch = client.createFetch({ baseDelayMs: 5, maxAttempts: 100 })
    const calls = Array.from({ length: 50 }, async (_, n) => {
      const response = await fetch('orders', { method: 'POST', body: `item ${n}` })
      const { item } = (await response.json()) as { item: string }
      return [`item ${n}`, item] as const
    })
    return Promise.all(calls)
  })
  for (const [ordered, answered] of items) expect(answered).toBe(ordered)
  expect(site.orders.toSorted()).toEqual(items.map(([item]) => item).toSorted())
})

test('a retry goes where the first attempt went, though the page changed its address', async () => {
  site.fates('is lost')
  const url = await page.evaluate(async () => {
    const onRetry = () => history.pushState(null, '', '/elsewhere/')
    const fetch = client.createFetch({ baseDelayMs: 1, onRetry })
    return (await fetch('orders', { method: 'POST', body: 'flute' })).url
  })
  expect(url).toBe(`${site.url}orders`)
  expect(site.orders).toEqual(['flute'])
})

test('a stream, which browsers send over HTTP/2 only, is sent as the bytes it has', async () => {
  site.fates('is lost')
  const status = await page.evaluate(async () => {
    const fetch = client.createFetch({ baseDelayMs: 1 })
    const body = new Blob(['har', 'p']).stream()
    const headers = { 'content-type': 'text/plain' }
    return (await fetch('orders', { method: 'POST', headers, body })).status
  })
  expect(status).toBe(201)
  expect(site.orders).toEqual(['harp'])
})

test('a form keeps its boundary from attempt to attempt', async () => {
  site.fates('is lost')
  const replayed = await page.evaluate(async () => {
    const body = new FormData()
    body.set('item', new File(['drum'], 'drum.txt'))
    const request = new Request('orders', {
      method: 'POST',
      body,
      headers: { 'content-type': 'text/plain' },
    })
    return client.isReplayed(await client.createFetch({ baseDelayMs: 1 })(request))
  })
  expect(replayed).toBe(true)
  expect(site.orders.length).toBe(1)
})

test('an aborted signal rejects with its reason, and the deadline with the key to ask again with', async () => {
  site.fates('never comes', 'never comes')
  const got = await page.evaluate(async () => {
    const reason = new Error('the user left')
    const controller = new AbortController()
    setTimeout(() => controller.abort(reason), 50)
    const post = { method: 'POST', body: 'oboe' }
    const aborted = await client
      .createFetch()('orders', { ...post, signal: controller.signal })
      .catch((error) => error)
    const late = await client
      .createFetch({ deadlineMs: 300 })('orders', post)
      .catch((error) => error)
    const again = await client.createFetch()('orders', { ...post, idempotencyKey: late.key })
    return { aborted: aborted === reason, code: late.code, replayed: client.isReplayed(again) }
  })
  expect(got).toEqual({ aborted: true, code: 'deadline-exceeded', replayed: true })
})

test('another origin is asked with the key, and no-cors, which would drop it, is refused', async () => {
  const other = await startOrdersSite(script)
  try {
    await open(other.url)
    site.fates('is lost')
    const got = await page.evaluate(async (url) => {
      const fetch = client.createFetch({ baseDelayMs: 1 })
      const init = { method: 'POST', body: 'viola' }
      const replayed = client.isReplayed(await fetch(url, init))
      const refused = await fetch(url, { ...init, mode: 'no-cors' }).catch((error) => error)
      return { replayed, refused: refused.code }
    }, `${site.url}orders`)
    expect(got).toEqual({ replayed: true, refused: 'options-invalid' })
    expect(site.orders).toEqual(['viola'])
  } finally {
    await other.close()
  }
})

/** Available on the page, where the functions above run. */
declare const client: typeof import('@oncekey/client')
declare const localStorage: import('@oncekey/client').PendingStorage & { readonly length: number }
declare const history: { pushState(state: null, unused: '', url: string): void }

async function open(url: string): Promise<void> {
  await page.goto(url)
  await ready()
}

async function ready(): Promise<void> {
  await page.waitForFunction('globalThis.client')
}
