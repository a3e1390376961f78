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
    get: (path: string, parameters: Record<string, string>) =>
      show(new Request(`https://shop.example/api/v1/${path}?${new URLSearchParams(parameters)}`)),
    text: (path: string, body: string) => post(path, body, JSON_TYPE),
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
  // An empty limit was none.
  ['dead-letters/redrive', { limit: '' }, /`limit` is empty/],
  ['redrives/start', { limit: '' }, /`limit` is empty/],
  ['redrives/start', { ratePerSecond: ' ' }, /`ratePerSecond` is empty/],
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

// A bug: such a time was taken to be in the zone of the server, although the pages show UTC.
test.each(['2026-11-29 04:30', '2026-11-29T04:30', '1', '2026-02-30'])(
  'a time without a zone, or that there is not, is refused: %s',
  async (time) => {
    const { json, dead, redrives, get } = await site()
    expect((await json('redrives/start', { deadAfter: time })).status).toBe(400)
    expect((await json('redrives/start', { deadBefore: time })).status).toBe(400)
    expect((await get('dead-letters', { deadAfter: time })).status).toBe(400)
    expect((await get('audit', { since: time })).status).toBe(400)
    expect(await redrives()).toEqual([])
    expect(await dead()).toBe(2)
  },
)

test('a time as a page shows it is taken', async () => {
  const { json, redrives, get } = await site()
  expect((await json('redrives/start', { deadAfter: '2020-11-29 04:30:00 UTC' })).status).toBe(200)
  const [redrive] = (await redrives()) ?? []
  expect(redrive).toMatchObject({ matched: 2, filter: { deadAfter: '2020-11-29T04:30:00.000Z' } })
  expect((await get('audit', { until: '2020-11-29' })).status).toBe(200)
})

test('a field that is given twice is refused', async () => {
  const { form, dead } = await site()
  const response = await form('dead-letters/redrive', 'id=1&id=2')
  expect(response.status).toBe(400)
  expect(await response.text()).toContain('`id` is given twice')
  expect(await dead()).toBe(2)
})

// A bug: of a name that a JSON object has twice, the last value was taken. A proxy that decides by
// the first what to let through had seen another act.
test.each([
  '{"note":"n","confirmed":"yes","origin":"search","origin":"mailer"}',
  String.raw`{"note":"n","confirmed":"yes","origin":"search","\u006frigin" :"mailer"}`,
  '{"note":"n","confirmed":"yes","origin":{"origin":"search"},"origin":"mailer"}',
  String.raw`{"note":"\"confirmed\": x","note":"n","confirmed":"yes"}`,
])('a field that is given twice in JSON is refused: %s', async (body) => {
  const { text, dead } = await site()
  const response = await text('dead-letters/redrive', body)
  expect(response.status).toBe(400)
  expect(await response.text()).toMatch(/`(origin|note)` is given twice/)
  expect(await dead()).toBe(2)
})

// A bug: the number became that of another letter, and what was no text became a text.
test.each(['9007199254740993', '1e400', 'null', '["1"]', '{"a":"1"}'])(
  'a value in JSON that is no text is refused: %s',
  async (value) => {
    const { text, dead } = await site()
    const body = `{"note":"n","confirmed":"yes","id":${value}}`
    const response = await text('dead-letters/redrive', body)
    expect(response.status).toBe(400)
    expect(await response.text()).toContain('`id` must be a text')
    expect(await dead()).toBe(2)
  },
)

test('a text with quotes and colons in it is one field', async () => {
  const { json, dead } = await site()
  const note = '"id": "1", \\"id\\": see ticket 4711'
  expect((await json('dead-letters/redrive', { note, origin: 'mailer', limit: 1 })).status).toBe(
    200,
  )
  expect(await dead()).toBe(1)
})

test('without a field that narrows it, an act takes all, as before', async () => {
  const { json, dead, redrives } = await site()
  expect((await json('redrives/start', { limit: 'all' })).status).toBe(200)
  expect(await redrives()).toMatchObject([{ limit: null, matched: 2 }])
  expect((await json('dead-letters/redrive', {})).status).toBe(200)
  expect(await dead()).toBe(0)
})

// A bug: three blanks were the number 0, so the present secret signed no more.
test.each(['', '   '])('a secret is not rotated for the overlap %j', async (overlapHours) => {
  const rotated: unknown[] = []
  const show = dashboard({
    webhooks: { endpoints: { rotateSecret: async () => void rotated.push('') } } as never,
    authorize: () => ({ actor: 'a program', may: 'all' }),
  })
  const fields = { id: 'e', note: 'n', confirmed: 'yes', overlapHours }
  const response = await show(
    new Request('https://shop.example/api/v1/webhooks/rotate', {
      method: 'POST',
      body: JSON.stringify(fields),
      headers: { 'content-type': JSON_TYPE },
    }),
  )
  expect(response.status).toBe(400)
  expect(await response.text()).toContain('`overlapHours` is empty')
  expect(rotated).toEqual([])
})
