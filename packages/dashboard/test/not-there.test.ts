import { type Keys, memoryLog, memoryStore, OncekeyError } from '@oncekey/core'
import { NAME } from '@oncekey/test-shop'
import { expect, test } from 'vitest'
import { dashboard } from '../src/index.ts'

const store = memoryStore({ mode: 'lease' })
const show = dashboard({
  store,
  deadLetters: [memoryLog(store).deadLetters],
  authorize: () => ({ actor: 'a program', may: 'all' }),
})
const get = (path: string) => show(new Request(`https://shop.example/${path}`))

// A 404 of a program at another address says nothing of a key; nor does one of a dashboard that
// does not show such things. A program has to tell them apart.
test.each([
  [`keys/one?${new URLSearchParams({ ...NAME, key: 'k' })}`, 'absent'],
  ['dead-letters/one?id=7', 'absent'],
  ['redrives/one?id=7', 'absent'],
  ['dead-letters?source=webhooks', 'not-shown'],
  ['dead-letters/one?source=sagas&id=7', 'not-shown'],
  ['redrives?source=webhooks', 'not-shown'],
  ['webhooks', 'not-shown'],
  ['sagas/run?id=7', 'not-shown'],
  ['nowhere', 'not-shown'],
])('a 404 says what is not there: %s', async (path, code) => {
  const response = await get(`api/v1/${path}`)
  expect(response.status).toBe(404)
  expect(await response.json()).toEqual({ error: expect.any(String), code })
})

// A bug: the list of a store that has none, such as Redis, was empty, with status 200. A script
// that asked for keys of unknown outcome was told that there are none.
test('a store without a list has a form for a page, and an error for a program', async () => {
  const keys = {
    lists: false,
    list: async () => {
      throw new OncekeyError('list-unsupported', 'Redis has no list of its keys.')
    },
  } as unknown as Keys
  const onRedis = dashboard({
    store: { keys },
    authorize: () => ({ actor: 'a program', may: 'all' }),
  })
  const asked = (path: string) => onRedis(new Request(`https://shop.example/${path}`))
  const page = await asked('keys?state=unknown')
  expect(page.status).toBe(200)
  expect(await page.text()).toContain('look one up by its name')
  const api = await asked('api/v1/keys?state=unknown')
  expect(api.status).toBe(501)
  expect(await api.json()).toEqual({
    error: 'Redis has no list of its keys.',
    code: 'list-unsupported',
  })
  const described = JSON.stringify(await (await asked('api/v1/openapi.json')).json())
  expect(described).toContain('"501"')
})

const BYTES = { text: Buffer.from('\ufeff{"id":1}'), binary: Buffer.from([0x89, 0x50, 0xff]) }

// A bug: the sentence was in the field of the body, which the command line then took for the body.
test.each([
  ['sealed', { seal: 'k1', body: BYTES.binary }, null, 'sealed', 'does not open it'],
  ['not kept', { seal: null, body: null }, null, 'not-kept', 'It is not kept'],
  ['no text', { seal: null, body: BYTES.binary }, null, 'not-text', 'It is no text'],
  ['text', { seal: null, body: BYTES.text }, '\ufeff{"id":1}', undefined, '{&quot;id&quot;:1}'],
])('a body that is %s', async (_, response, body, noBody, said) => {
  const key = { ...NAME, key: 'k', state: 'finished', fingerprint: 'f' }
  const found = { ...key, response: { status: 201, headers: [], bodyBytes: 3, ...response } }
  const keys = { get: async () => found } as unknown as Keys
  const site = dashboard({ store: { keys }, authorize: () => ({ actor: 'a', may: 'all' }) })
  const path = `keys/one?${new URLSearchParams({ ...NAME, key: 'k', body: 'shown' })}`
  const api = await site(new Request(`https://shop.example/api/v1/${path}`))
  const json = (await api.json()) as { readonly body: unknown; readonly noBody?: unknown }
  expect([json.body, json.noBody]).toEqual([body, noBody])
  const page = await site(new Request(`https://shop.example/${path}`))
  expect(await page.text()).toContain(said)
})
