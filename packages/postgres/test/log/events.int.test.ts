import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, eventOf, kept, refused, said } from '../database/claims.ts'
import { storeOn, testDatabase, wires } from '../database/test-database.ts'

describe.each(wires)('events, $wire', ({ pipeline, prepare }) => {
  const database = testDatabase()
  const store = () => storeOn(database.pool({ pipeline }), { prepare })
  const outbox = (orderingKey: string) =>
    database.query(
      `select slot, id, type, source, subject, ordering_key, data::text, headers, occurred_at
         from oncekey.outbox where ordering_key = $1 order by seq`,
      [orderingKey],
    )

  test('are stored in the outbox as emitted, column by column', async () => {
    const attempt = attemptOf(await store().begin(claimOf()))
    const orderingKey = `it's "${randomUUID()}" \\ $1 ; --`
    const event = eventOf({
      orderingKey,
      type: "order.'created'",
      source: 'https://shop.example/a?b=\\',
      subject: 'Zoë 🧾',
      headers: { traceparent: '00-1-2-01', quoted: `"'\\` },
      occurredAt: new Date('2026-01-02T03:04:05.678Z'),
    })
    await attempt.complete(kept('done', [event, eventOf({ orderingKey, subject: null })]))
    expect(await outbox(orderingKey)).toEqual([
      {
        slot: expect.any(Number),
        id: event.id,
        type: event.type,
        source: event.source,
        subject: event.subject,
        ordering_key: orderingKey,
        data: event.data,
        headers: event.headers,
        occurred_at: event.occurredAt,
      },
      expect.objectContaining({ subject: null }),
    ])
  })

  test.each([
    '{"text":"a\\u0000b"}',
    '"\\u0000"',
    '{ "b":1,\n "a" : 1.0 , "a": 2}',
    '12345678901234567890.12345678901234567890',
    '"\\ud800"',
    `{"sql":"'; drop table orders; -- \\\\' E'\\\\'' $1 $$"}`,
    'null',
  ])('keep their data as written: %s', async (data) => {
    const attempt = attemptOf(await store().begin(claimOf()))
    const orderingKey = randomUUID()
    expect(await attempt.complete(kept('done', [eventOf({ orderingKey, data })]))).toBe('stored')
    expect(await outbox(orderingKey)).toEqual([expect.objectContaining({ data })])
  })

  test('are numbered in the order in which they were emitted', async () => {
    const attempt = attemptOf(await store().begin(claimOf()))
    const orderingKey = randomUUID()
    const events = Array.from({ length: 300 }, () => eventOf({ orderingKey }))
    await attempt.complete(kept('done', events))
    const rows = await outbox(orderingKey)
    expect(rows.map((row) => (row as { id: string }).id)).toEqual(events.map(({ id }) => id))
  })

  test('carry the number of the transaction that committed them', async () => {
    const attempt = attemptOf(await store().begin(claimOf()))
    const tx = await attempt.transaction()
    const { rows } = await tx.query('select pg_current_xact_id()::text as xid')
    const orderingKey = randomUUID()
    await attempt.complete(kept('done', [eventOf({ orderingKey })]))
    expect(
      await database.query('select xid::text from oncekey.outbox where ordering_key = $1', [
        orderingKey,
      ]),
    ).toEqual(rows)
  })

  test('that PostgreSQL cannot store undo the whole request with an error', async () => {
    const writing = store()
    const claim = claimOf()
    const attempt = attemptOf(await writing.begin(claim))
    const id = randomUUID()
    await (await attempt.transaction()).query('insert into orders values ($1)', [id])
    const events = [eventOf({ subject: 'a\0b' })]
    await expect(attempt.complete(kept('done', events))).rejects.toMatchObject({
      code: 'transaction-aborted',
    })
    expect(await database.hasOrder(id)).toBe(false)
    await attemptOf(await writing.begin(again(claim))).release()
  })

  test('are undone by a refusal', async () => {
    const writing = store()
    const claim = claimOf()
    const attempt = attemptOf(await writing.begin(claim))
    const orderingKey = randomUUID()
    const events = [eventOf({ orderingKey })]
    await attempt.complete({ ...refused('no'), events })
    expect(said(await writing.begin(again(claim)))).toBe('replay 422 no')
    expect(await outbox(orderingKey)).toEqual([])
  })

  test('of a route without a key are written with its transaction, or alone if it has none', async () => {
    const [together, alone] = [randomUUID(), randomUUID()]
    const id = randomUUID()
    const one = await store().open({ leaseMs: 1_000 })
    await (await one.transaction()).query('insert into orders values ($1)', [id])
    expect(await one.complete(kept('x', [eventOf({ orderingKey: together })]))).toBe('stored')
    const other = await store().open({ leaseMs: 1_000 })
    expect(await other.complete(kept('x', [eventOf({ orderingKey: alone })]))).toBe('stored')
    expect(await outbox(together)).toHaveLength(1)
    expect(await outbox(alone)).toHaveLength(1)
    expect(await database.hasOrder(id)).toBe(true)
  })
})

describe('slots', () => {
  const database = testDatabase()

  // If another release chose another slot, the events of one ordering key would be split.
  test('are the same for an ordering key in every release', async () => {
    const keys = ['order-1', 'order-2', 'customer-42', 'Zoë 🧾', '']
    const attempt = attemptOf(await storeOn(database.pool()).begin(claimOf()))
    await attempt.complete(
      kept(
        'done',
        keys.map((orderingKey) => eventOf({ orderingKey })),
      ),
    )
    const rows = await database.query<{ slot: number }>(
      'select slot from oncekey.outbox order by seq',
    )
    expect(rows.map(({ slot }) => slot)).toEqual([11, 61, 32, 2, 35])
  })

  test('share the events evenly', async () => {
    const attempt = attemptOf(await storeOn(database.pool()).begin(claimOf()))
    const events = Array.from({ length: 6_400 }, (_, index) =>
      eventOf({ orderingKey: `order-${index}`, source: 'evenly' }),
    )
    await attempt.complete(kept('done', events))
    const rows = await database.query<{ count: string }>(
      "select count(*) from oncekey.outbox where source = 'evenly' group by slot",
    )
    expect(rows).toHaveLength(64)
    for (const { count } of rows) expect(Number(count)).toBeGreaterThan(50)
  })
})
