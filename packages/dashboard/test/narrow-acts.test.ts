import { memoryLog, memoryStore } from '@oncekey/core'
import { consumer, createRelay, PermanentError } from '@oncekey/outbox'
import { expect, test } from 'vitest'
import { dashboard } from '../src/index.ts'

/** A dashboard of a log with two dead letters. */
async function site() {
  const store = memoryStore()
  const log = memoryLog(store)
  await log.subscribe({ consumer: 'mailer', types: null, startAt: 'beginning' })
  await log.append(
    [1, 2].map((n) => ({
      id: `0190b5a0-0000-7000-8000-00000000000${n}`,
      type: 'order.placed',
      source: '/shop',
      subject: null,
      orderingKey: `order-${n}`,
      data: '{}',
      headers: {},
      occurredAt: new Date(),
    })),
  )
  const mailer = consumer({
    name: 'mailer',
    async handle() {
      throw new PermanentError('no such customer')
    },
  })
  const relay = createRelay({ log, consumers: [mailer] })
  while ((await relay.runOnce()) > 0);
  await relay.stop()
  const show = dashboard({
    store,
    deadLetters: [log.deadLetters],
    authorize: () => ({ actor: 'a program', may: 'all' }),
  })
  const post = (path: string, body: string, type: string) =>
    show(
      new Request(`https://shop.example/api/v1/${path}`, {
        method: 'POST',
        body,
        headers: { 'content-type': type },
      }),
    )
  return {
    json: (path: string, fields: object) =>
      post(path, JSON.stringify({ note: 'as agreed', confirmed: 'yes', ...fields }), JSON_TYPE),
    form: (path: string, fields: string) =>
      post(path, `note=as+agreed&confirmed=yes&${fields}`, 'application/x-www-form-urlencoded'),
    dead: () => log.deadLetters.count({}),
    redrives: async () => (await log.deadLetters.redrives?.list({}, { limit: 10 }))?.items,
  }
}

const JSON_TYPE = 'application/json'

// A bug: an act ignored a field that was empty, because a variable of the program was not set, and
// one that it did not know, such as a misspelt one. What was left of the filter matched all dead
// letters, and all were redriven. With an empty `source` they were those of the first source, and a
// start with an empty `requestId` had no name, so that its repetition started another redrive.
test.each([
  ['dead-letters/redrive', { id: '' }, /`id` is empty/],
  ['dead-letters/redrive', { origin: '' }, /`origin` is empty/],
  ['dead-letters/redrive', { origin: ' ' }, /`origin` is empty/],
  ['dead-letters/redrive', { source: '' }, /`source` is empty/],
  ['dead-letters/redrive', { ids: '["1"]' }, /no field `ids` here.* id, /],
  ['dead-letters/redrive', { orgin: 'search' }, /no field `orgin` here/],
  ['dead-letters/redrive', { ['__proto__']: 'search' }, /no field/],
  ['redrives/start', { ids: '' }, /`ids` is empty/],
  ['redrives/start', { deadAfter: '' }, /`deadAfter` is empty/],
  ['redrives/start', { requestId: '' }, /`requestId` is empty/],
  ['redrives/start', { source: '' }, /`source` is empty/],
  ['redrives/cancel', { source: '', id: '1' }, /`source` is empty/],
  ['dead-letters/discard', { source: '', id: '1' }, /`source` is empty/],
  ['redrives/start', { fingerprnt: 'x' }, /no field `fingerprnt` here/],
] as const)('%s refuses %j, and does nothing', async (path, fields, text) => {
  const { json, form, dead, redrives } = await site()
  const pairs = new URLSearchParams(fields as Record<string, string>).toString()
  for (const response of [await json(path, fields), await form(path, pairs)]) {
    expect(response.status).toBe(400)
    expect(((await response.json()) as { error: string }).error).toMatch(text)
  }
  expect(await dead()).toBe(2)
  expect(await redrives()).toEqual([])
})

test('a field that is given twice is refused', async () => {
  const { form, dead } = await site()
  const response = await form('dead-letters/redrive', 'id=1&id=2')
  expect(response.status).toBe(400)
  expect(await response.text()).toContain('`id` is given twice')
  expect(await dead()).toBe(2)
})

test('without a field that narrows it, an act takes all, as before', async () => {
  const { json, dead } = await site()
  expect((await json('dead-letters/redrive', { limit: '' })).status).toBe(200)
  expect(await dead()).toBe(0)
})
