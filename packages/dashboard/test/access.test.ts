import { type Keys, memoryLog, memoryStore } from '@oncekey/core'
import { postgresConsumers, postgresEvents } from '@oncekey/postgres'
import { sagaOperator } from '@oncekey/saga'
import { finish, leaveUnknown, NAME } from '@oncekey/test-shop'
import { webhooks } from '@oncekey/webhooks'
import { Pool } from 'pg'
import { afterEach, expect, test } from 'vitest'
import { type Dashboard, dashboard } from '../src/index.ts'
import { routes } from '../src/routes.ts'
import type { Viewer } from '../src/routing/access.ts'

const reader: Viewer = { actor: 'reader', may: 'read-only' }
const nobody = (): null => null
const operator: Viewer = { actor: 'operator', may: 'all' }

/** Nobody listens at this address: a request that is refused must not get as far as a query. */
const nowhere = new Pool({ connectionString: 'postgres://nobody@127.0.0.1:1/none' })
let connections = 0
nowhere.on('connect', () => connections++)
nowhere.on('error', () => connections++)
afterEach(() => {
  expect(connections + nowhere.totalCount).toBe(0)
})

async function site(viewer: Viewer | Response | null) {
  const store = memoryStore({ mode: 'lease' })
  const log = memoryLog(store)
  const hooks = webhooks({ client: nowhere })
  await leaveUnknown(store, 'lost')
  await finish(store, 'done', '{"id":1}')
  const show = dashboard({
    store,
    deadLetters: [log.deadLetters, hooks.deadLetters],
    lag: { log, consumers: ['mailer'] },
    consumers: postgresConsumers({ client: nowhere }),
    events: postgresEvents({ client: nowhere }),
    webhooks: hooks,
    sagas: sagaOperator({ client: nowhere }),
    authorize: () => viewer,
  })
  const keys = store.keys as Keys
  return { show, keys, acts: async () => (await store.operations.list({}, { limit: 10 }))?.items }
}

const at = (path: string): string => `https://shop.example/${path}`
const ACT = { ...NAME, key: 'lost', note: 'the gateway never saw it', confirmed: 'yes' }
const post = (
  show: Dashboard,
  path: string,
  headers: Record<string, string> = {},
  fields: Record<string, string> = ACT,
) => show(new Request(at(path), { method: 'POST', headers, body: new URLSearchParams(fields) }))

test.each(
  routes.flatMap(({ path, method }) => [
    { path, method },
    { path: `api/v1/${path}`, method },
  ]),
)('nobody gets nothing: $method $path', async ({ path, method }) => {
  const { show, acts } = await site(null)
  const response = method === 'GET' ? await show(new Request(at(path))) : await post(show, path)
  expect(response.status).toBe(403)
  const text = await response.text()
  expect(text).not.toMatch(/lost|customer-7|<nav/)
  expect(await acts()).toEqual([])
})

const acts = routes.filter(({ method }) => method === 'POST')

test('there are acts to try', () => {
  expect(acts.length).toBeGreaterThanOrEqual(19)
})

test.each(acts)('a reader cannot: $path', async ({ path }) => {
  const { show, keys, acts } = await site(reader)
  for (const each of [path, `api/v1/${path}`]) {
    expect((await post(show, each)).status).toBe(403)
  }
  expect((await keys.get({ ...NAME, key: 'lost' }))?.state).toBe('unknown')
  expect(await acts()).toEqual([])
})

test.each(acts)('nobody does it from another site: $path', async ({ path }) => {
  const { show, keys, acts } = await site(operator)
  const foreign = [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'none' },
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: 'https://shop.example.evil.example' },
  ] as Record<string, string>[]
  for (const headers of foreign) {
    for (const each of [path, `api/v1/${path}`]) {
      expect((await post(show, each, headers)).status).toBe(403)
    }
  }
  expect((await keys.get({ ...NAME, key: 'lost' }))?.state).toBe('unknown')
  expect(await acts()).toEqual([])
})

test.each(acts)('an act is no GET: $path', async ({ path }) => {
  const { show, acts } = await site(operator)
  expect((await show(new Request(at(path)))).status).toBe(405)
  expect(await acts()).toEqual([])
})

test('who may do one act may not do another', async () => {
  const { show, acts } = await site({ actor: 'a', may: ['keys.answer'] })
  expect((await post(show, 'keys/release')).status).toBe(403)
  const answered = await post(show, 'keys/answer', {}, { ...ACT, status: '201', body: '{}' })
  expect(answered.status).toBe(303)
  expect((await acts())?.map(({ act, actor, note }) => [act, actor, note])).toEqual([
    ['keys.answer', 'a', ACT.note],
  ])
})

test('who is confined to scopes sees keys of these and nothing else', async () => {
  const { show } = await site({ actor: 'tenant', may: 'all', scopes: ['customer-8'] })
  for (const route of routes) {
    if (route.method !== 'GET' || route.isConfinable) continue
    expect((await show(new Request(at(route.path)))).status, route.path).toBe(403)
  }
  const other = `?namespace=http&scope=customer-7&key=lost`
  expect((await show(new Request(at(`keys${other}`)))).status).toBe(403)
  expect((await show(new Request(at(`keys/one${other}`)))).status).toBe(403)
  expect((await post(show, 'keys/release')).status).toBe(403)
  const all = await show(new Request(at('keys?state=unknown')))
  expect(all.status).toBe(400)
  expect(await all.text()).not.toContain('lost</a>')
  const own = await show(new Request(at('keys?namespace=http&scope=customer-8')))
  expect(own.status).toBe(200)
})

test.each(acts)(
  'who is confined to scopes can do this at most to keys: $path',
  async ({ path, api }) => {
    const { show, acts } = await site({ actor: 'tenant', may: 'all', scopes: ['customer-8'] })
    // All fields that the act takes, so that only the scopes can be why it is refused.
    const all = {
      ...ACT,
      ...{ source: 'consumers', id: '7', data: '{}', consumer: 'mailer', fingerprint: 'f' },
      ...{ status: '201', since: '2026-11-28T09:00:00Z' },
    }
    const fields = Object.fromEntries(Object.entries(all).filter(([name]) => name in api.takes))
    for (const each of [path, `api/v1/${path}`]) {
      expect((await post(show, each, {}, fields)).status).toBe(403)
    }
    expect(await acts()).toEqual([])
  },
)

test.each([true, false])(
  'the audit tells what was edited unless there is a mask: %s',
  async (isMasked) => {
    const { keys } = memoryStore({ mode: 'lease' })
    const edited = {
      ...{ id: '1', at: new Date(), actor: 'maria', act: 'dead-letters.edit-and-redrive' },
      ...{ target: '["dead-letter","consumers","7"]', note: 'the address had no street' },
      detail: { newId: '8', changes: [{ path: '/email', before: '"a@b.example"' }] },
    }
    const operations = { list: async () => ({ items: [edited], next: undefined }) }
    const mask = (payload: string) => payload.replace(/"email":"[^"]*"/, '"email":"***"')
    const show = dashboard({
      store: { keys, operations },
      authorize: () => reader,
      ...(isMasked && { mask }),
    })
    for (const path of ['audit', 'api/v1/audit']) {
      const text = await (await show(new Request(at(path)))).text()
      expect(text).toContain('/email')
      expect(text.includes('a@b.example')).toBe(!isMasked)
    }
  },
)

test('an act without a reason, without a confirmation, or of nonsense is refused, and nothing is done', async () => {
  const { show, acts } = await site(operator)
  const bad = [
    { ...ACT, note: ' ' },
    { ...ACT, confirmed: '' },
    { ...ACT, key: '' },
    { ...ACT, status: '999' },
  ]
  for (const fields of bad) {
    const path = 'status' in fields ? 'keys/answer' : 'keys/release'
    expect((await post(show, path, {}, fields)).status).toBe(400)
  }
  const huge = await post(show, 'keys/release', {}, { ...ACT, note: 'x'.repeat(2_000_000) })
  expect(huge.status).toBe(400)
  expect(await acts()).toEqual([])
})

test('an act on a key that is not unknown any more says so, and is no act on record', async () => {
  const { show, acts } = await site(operator)
  const first = await post(show, 'keys/release')
  expect(first.headers.get('location')).toContain('result=done')
  const second = await post(show, 'keys/release')
  expect(second.headers.get('location')).toContain('result=absent')
  expect((await acts())?.length).toBe(1)
})

test('a login of yours is sent as it is', async () => {
  const { show } = await site(new Response(null, { status: 302, headers: { location: '/login' } }))
  const response = await show(new Request(at('keys')))
  expect([response.status, response.headers.get('location')]).toEqual([302, '/login'])
})

test('what clients chose is text, also where it is markup, and the policy lets nothing run', async () => {
  const store = memoryStore({ mode: 'lease' })
  const key = '"><script>alert(1)</script>'
  await finish(store, key, '<img src=x onerror=alert(1)>\u001b[2J\u202e{"n":9007199254740993}')
  const show = dashboard({ store, authorize: () => operator })
  const query = new URLSearchParams({ ...NAME, key, body: 'shown' })
  const response = await show(new Request(at(`keys/one?${query}`)))
  const text = await response.text()
  expect(text).not.toContain('<script')
  expect(text).not.toContain('<img')
  expect(text).not.toContain('\u001b')
  expect(text).not.toContain('\u202e')
  expect(text).toContain('9007199254740993')
  const policy = response.headers.get('content-security-policy')
  expect(policy).toContain("default-src 'none'")
  expect(policy).not.toContain('unsafe')
})

test.each([
  ['authorize', {}],
  ['no `keys`', { authorize: nobody, store: {} }],
  ['nothing to show', { authorize: nobody }],
  ['basePath', { authorize: nobody, store: memoryStore(), basePath: 'admin/' }],
])('a dashboard that cannot be is refused with a sentence: %s', (sentence, options) => {
  expect(() => dashboard(options as never)).toThrow(sentence)
})
