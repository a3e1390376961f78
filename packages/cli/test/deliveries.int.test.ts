import { randomUUID } from 'node:crypto'
import { consumer, createRelay, PermanentError } from '@oncekey/outbox'
import { postgresConsumers, postgresEvents, postgresLog } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import { beforeAll, describe, expect, test } from 'vitest'
import { ended, startOncekey } from './oncekey.ts'
import { cliDatabase } from './servers.ts'

const database = cliDatabase(['webhooks', 'saga'])
const { run, query } = database
const act = ['--note', 'the mail server is back', '--actor', 'maria@shop.example', '--yes']

function eventOf(type: string, data = '{"total":9007199254740993}', id = v7()) {
  const common = { source: '/shop', subject: 'order-1', orderingKey: id, headers: {} }
  return { id, type, data, occurredAt: new Date(), ...common }
}

/** A UUIDv7. */
function v7({ msecs = Date.now() } = {}): string {
  const time = msecs.toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`
}

describe('dead letters and consumers', () => {
  const hostile = 'no \u001b[2J such customer'
  let mailServerIsDown = true

  async function deliver(): Promise<void> {
    const email = consumer({
      name: 'email',
      types: ['order.*'],
      async handle() {
        if (mailServerIsDown) throw new PermanentError(hostile)
      },
    })
    const relay = createRelay({
      log: postgresLog({ client: database.pool() }),
      consumers: [email as never],
    })
    while ((await relay.runOnce()) > 0);
    await relay.stop()
  }

  beforeAll(async () => {
    const log = postgresLog({ client: database.pool() })
    await log.subscribe({ consumer: 'email', types: ['order.*'], startAt: 'beginning' })
    await log.append(Array.from({ length: 5 }, () => eventOf('order.created')))
    await deliver()
  })

  test('are listed, grouped and shown, with every attempt and exact data', async () => {
    const list = await run(['dead', 'list', '--limit', '2'])
    expect(list.stdout).toMatch(
      /email +order\.created +order-1 +1 +permanent +PermanentError: no \\x1b/,
    )
    expect(list.stdout).toContain('the same with --page ')
    const groups = await run(['dead', 'groups'])
    expect(groups.stdout).toMatch(/consumers +email +5 /)
    expect(groups.stdout).toMatch(/consumers: 5, the oldest .* old; \d\.\d arrived/)
    const [{ id }] = JSON.parse((await run(['dead', 'list', '--json'])).stdout).items
    const shown = await run(['dead', 'show', id])
    expect(shown.stdout).toContain('Data\n    {"total":9007199254740993}\n')
    expect(shown.stdout).toMatch(
      /Attempt 1\n.*: PermanentError: no \\x1b\[2J such customer\n {4} +at /,
    )
    const { data } = JSON.parse((await run(['dead', 'show', id, '--json'])).stdout)
    expect(data).toEqual({ total: '9007199254740993' })
    expect((await run(['dead', 'show', '4711'])).code).toBe(1)
  })

  test('are redriven after a preview that says as many, and need to be told which', async () => {
    const redrive = ['dead', 'redrive', '--origin', 'email']
    const all = await run(['dead', 'redrive', ...act])
    expect(all).toMatchObject({ code: 2, stderr: expect.stringContaining('or --all') })
    const preview = await run(['dead', 'preview', '--origin', 'email'])
    expect(preview.stdout).toMatch(/^5 dead letters of consumers would be delivered again\.\n/)
    mailServerIsDown = false
    const some = await run([...redrive, ...act, '--limit', '2', '--json'])
    expect(some.code).toBe(0)
    expect(JSON.parse(some.stdout)).toMatchObject({
      matched: 5,
      redriven: 2,
      refused: [],
      actor: 'maria@shop.example',
    })
    const named = [...redrive, ...act, '--limit', '1', '--request-id', 'nightly-7', '--json']
    const one = JSON.parse((await run(named)).stdout)
    const again = JSON.parse((await run(named)).stdout)
    expect(one.ids).toHaveLength(1)
    expect(again).toMatchObject({ redrive: one.redrive, ids: one.ids })
    const rest = await run([...redrive, ...act])
    expect(rest.stdout).toBe(
      '2 of 2 dead letters are on their way again (maria@shop.example: the mail server is back).\n',
    )
    await deliver()
    const none = await run([...redrive, ...act])
    expect(none).toMatchObject({ code: 1, stdout: expect.stringMatching(/^0 of 0 dead letters/) })
  })

  test('are delivered with other data, and numbers beyond 2^53 stay what they are', async () => {
    mailServerIsDown = true
    await postgresLog({ client: database.pool() }).append([eventOf('order.edited')])
    await deliver()
    const [{ id }] = JSON.parse(
      (await run(['dead', 'list', '--type', 'order.edited', '--json'])).stdout,
    ).items
    const { stdout: data } = await run(['dead', 'show', id, '--data'])
    expect(data).toBe('{"total":9007199254740993}\n')
    const edit = ['dead', 'edit', id, '--data-file', '-', ...act]
    expect(await run(edit, { input: '{"total":' })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--data-file must hold JSON: '),
    })
    expect(await run(['dead', 'edit', id, ...act])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--data-file is missing'),
    })
    const edited = data.replace('{', '{"to":"maria@shop.example",')
    const replaced = await run([...edit, '--json'], { input: edited })
    const { next, eventId } = JSON.parse(replaced.stdout)
    expect((await run(['dead', 'show', next, '--data'])).stdout).toBe(edited)
    expect(await run(edit, { input: edited })).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/left as it is/),
    })
    mailServerIsDown = false
    await deliver()
    const shown = JSON.parse((await run(['dead', 'show', next, '--json'])).stdout)
    expect(shown).toMatchObject({ eventId, resolution: 'redriven' })
  })

  test('are discarded with note and actor, once', async () => {
    mailServerIsDown = true
    await postgresLog({ client: database.pool() }).append([eventOf('order.paid')])
    await deliver()
    const [{ id }] = JSON.parse((await run(['dead', 'list', '--json'])).stdout).items
    expect((await run(['dead', 'discard', id, ...act])).stdout).toBe('1 discarded.\n')
    const shown = await run(['dead', 'show', id])
    expect(shown.stdout).toMatch(/note +the mail server is back\n/)
    const again = await run(['dead', 'discard', id, '999999', ...act])
    expect(again).toMatchObject({
      code: 1,
      stdout: `0 discarded.\n${id}: left as it is, it was discarded before\n999999: left as it is, there is none of that id\n`,
    })
  })

  test('consumers are listed with their lag, and retired once nobody reads them', async () => {
    const log = postgresLog({ client: database.pool() })
    await log.subscribe({ consumer: 'old', types: ['order.*'], startAt: 'beginning' })
    const list = await run(['consumers', 'list'])
    expect(list.stdout).toMatch(/\nemail +0 +- +0 +0\/64 +0 .* order\.\*\n/)
    expect(list.stdout).toMatch(/\nold +7 .* +0 +0\/64 +0 .* order\.\*\n/)
    const { items } = JSON.parse((await run(['consumers', 'list', '--json'])).stdout)
    expect(items).toMatchObject([
      { name: 'email', types: ['order.*'], lag: { events: 0 } },
      { name: 'old', lag: { events: 7 } },
    ])
    // A relay that reads the consumer at this moment.
    await log.want({ consumer: 'old', relay: 'r1', types: ['order.*'], leaseMs: 60_000 })
    await log.lease({ consumer: 'old', relay: 'r1', leaseMs: 60_000, holding: [] })
    const read = await run(['consumers', 'retire', 'old', ...act])
    expect(read).toMatchObject({ code: 1, stderr: expect.stringContaining('is read by a relay') })
    await log.release({ consumer: 'old', relay: 'r1', slots: [], leaving: true })
    expect((await run(['consumers', 'retire', 'old', ...act])).code).toBe(0)
    // A bug: without --discard the reason was not passed on, and the audit had one of ours.
    const audit = await run(['operations', 'list', '--act', 'consumers.retire', '--json'])
    expect(JSON.parse(audit.stdout).items).toMatchObject([{ note: act[1] }])
    const left = await postgresConsumers({ client: database.pool() }).list()
    expect(left.map(({ name }) => name)).toEqual(['email'])
    const gone = await run(['consumers', 'retire', 'old', ...act])
    expect(gone).toMatchObject({ code: 1, stderr: expect.stringContaining('There is no consumer') })
  })
})

describe('events', () => {
  test('are listed the newest first, and one is shown with what became of it', async () => {
    const log = postgresLog({ client: database.pool() })
    const event = eventOf('invoice.sent')
    await log.append([event, eventOf('invoice.paid')])
    const tail = await run(['events', 'tail', '--type', 'invoice.*'])
    expect(tail.stdout).toMatch(
      /invoice\.paid .*\n.*invoice\.sent +order-1 +\S+ +\{"total":9007199254740993\}\n/,
    )
    const shown = await run(['events', 'show', event.id])
    expect(shown.stdout).toMatch(/type +invoice\.sent\n/)
    expect(shown.stdout).toContain('It is no dead letter of anybody.')
    expect((await run(['events', 'show', v7()])).code).toBe(1)
    expect((await run(['events', 'show', 'nonsense'])).code).toBe(1)
  })

  test('are followed, each once, also of a transaction that was open for long', async () => {
    const log = postgresLog({ client: database.pool() })
    const late = await database.pool().connect()
    const slow = eventOf('followed.slow')
    await late.query('begin')
    await late.query('select oncekey.append_events_2($1)', [
      JSON.stringify([{ ...columnsOf(slow), slot: 0 }]),
    ])
    await log.append([eventOf('followed.before')])
    const child = startOncekey(['events', 'tail', '--follow', '--json', '--type', 'followed.*'], {
      DATABASE_URL: database.url(),
    })
    const types: string[] = []
    let rest = ''
    child.stdout.on('data', (chunk) => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      types.push(...lines.map((line) => JSON.parse(line).type))
    })
    const ran = ended(child)
    await expect.poll(() => types, { timeout: 30_000 }).toEqual(['followed.before'])
    await log.append([eventOf('followed.next')])
    await expect.poll(() => types.length, { timeout: 30_000 }).toBe(2)
    await late.query('commit')
    late.release()
    await expect.poll(() => types.length, { timeout: 30_000 }).toBe(3)
    await log.append(Array.from({ length: 2_500 }, () => eventOf('followed.many')))
    await expect.poll(() => types.length, { timeout: 30_000 }).toBe(2_503)
    child.kill('SIGINT')
    expect(await ran).toMatchObject({ code: 130, stderr: '' })
    expect(types.slice(0, 3)).toEqual(['followed.before', 'followed.next', 'followed.slow'])
    // The test left no consumer behind that would keep events from being deleted.
    const consumers = await postgresConsumers({ client: database.pool() }).list()
    expect(consumers.map(({ name }) => name)).not.toContain('tail')
  })

  test('are found by their id among many, by the time that it names', async () => {
    await query(
      `insert into oncekey.outbox (slot, id, type, source, ordering_key, data, headers, occurred_at)
        select 0, gen_random_uuid(), 'many', '/shop', 'k', '{}', '{}',
          now() - interval '1 day' + n * interval '1 millisecond'
        from generate_series(1, 300000) n`,
    )
    const id = v7({ msecs: Date.now() - 86_400_000 + 1_000 })
    await query(
      `update oncekey.outbox set id = '${id}' where seq = (
        select min(seq) + 1000 from oncekey.outbox where type = 'many')`,
    )
    const found = await postgresEvents({ client: database.pool() }).get(id)
    expect(found).toMatchObject({ id, type: 'many' })
  })

  function columnsOf({ orderingKey, occurredAt, ...event }: ReturnType<typeof eventOf>) {
    return { ...event, ordering_key: orderingKey, occurred_at: occurredAt }
  }
})

test('dead letters show themselves as they die to somebody who watches, each once', async () => {
  const log = postgresLog({ client: database.pool() })
  await log.subscribe({ consumer: 'sms', types: ['sms.due'], startAt: 'now' })
  const sms = consumer({
    name: 'sms',
    types: ['sms.due'],
    async handle() {
      throw new PermanentError('no such number')
    },
  })
  const dying: string[] = []
  async function die(): Promise<string> {
    const event = eventOf('sms.due')
    dying.push(event.id)
    await log.append([event])
    const relay = createRelay({ log, consumers: [sms as never] })
    while ((await relay.runOnce()) > 0);
    await relay.stop()
    return event.id
  }
  const watch = ['dead', 'watch', '--origin', 'sms', '--json']
  const child = startOncekey(watch, { DATABASE_URL: database.url() })
  let printed = ''
  child.stdout.on('data', (chunk) => (printed += chunk))
  const seen = () =>
    printed.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line).eventId]))

  // A letter that dies before the first query does not count as new.
  const first = { what: 'the first letter', intervalMs: 500, timeoutMs: 30_000 }
  await waitFor(async () => (await die()) !== '' && seen().length > 0, first)
  const last = await die()
  await waitFor(() => seen().includes(last), { what: 'the last letter' })
  child.kill('SIGINT')
  expect(await ended(child)).toMatchObject({ code: 130 })
  expect(new Set(seen()).size).toBe(seen().length)
  expect(dying).toEqual(expect.arrayContaining(seen()))
})
