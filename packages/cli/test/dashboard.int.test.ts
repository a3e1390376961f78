import { postgresLog } from '@oncekey/postgres'
import { createSagaRunner, saga } from '@oncekey/saga'
import { waitFor } from '@oncekey/test-servers'
import { webhooks } from '@oncekey/webhooks'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bareEnv, ended, oncekey, startOncekey } from './oncekey.ts'
import { refuseAll } from './refuse-all.ts'
import { cliDatabase } from './servers.ts'

const database = cliDatabase(['webhooks', 'saga'])
let url = ''
let token = ''
let stop: () => Promise<unknown>

beforeAll(async () => {
  await database.query(
    `insert into oncekey.attempts (namespace, scope, key, fingerprint, number, token, until)
      select 'http', 'customer-7', k, 'f1', 1, k, now() - interval '1 minute'
        from unnest(array['lost-1', 'lost-2']) k`,
  )
  const log = postgresLog({ client: database.pool() })
  await log.subscribe({ consumer: 'email', types: null, startAt: 'beginning' })
  await log.append(
    [1, 2, 3].map((n) => ({
      id: `0190b5a0-0000-7000-8000-00000000000${n}`,
      type: 'order.placed',
      source: '/shop',
      subject: `order-${n}`,
      orderingKey: `order-${n}`,
      data: '{"total":9007199254740993}',
      headers: {},
      occurredAt: new Date(),
    })),
  )
  await refuseAll(log as never)
  const order = saga<{ readonly item: string }, unknown>('order', { version: 1 }).step('ship', {
    kind: 'pivot',
    retry: { maxAttempts: 1 },
    run: async () => {
      throw new Error('the carrier is down')
    },
  })
  await createSagaRunner({ client: database.pool(), sagas: [order as never] })
    .execute(order as never, { id: 'order-1', input: { item: 'kettle' } as never })
    .catch(() => {})

  const child = startOncekey(['dashboard', '--port', '0', '--actor', 'maria@shop.example'], {
    DATABASE_URL: database.url(),
  })
  const over = ended(child)
  let printed = ''
  child.stdout.on('data', (chunk) => (printed += chunk))
  await waitFor(() => printed.includes('ONCEKEY_TOKEN='), { what: 'the address' })
  ;[, url = '', token = ''] = /ONCEKEY_URL=(\S+) ONCEKEY_TOKEN=(\S+)/.exec(printed) ?? []
  stop = async () => {
    child.kill('SIGTERM')
    return await over
  }
})
afterAll(async () => {
  expect(await stop()).toMatchObject({ code: 130 })
})

/** Runs the program in a process that has no address of a database. */
const through = (args: readonly string[]) =>
  oncekey(args, { env: { ONCEKEY_URL: url, ONCEKEY_TOKEN: token } })
const act = ['--note', 'seen at the gateway', '--yes']

test('the dashboard is for who has the token, in a browser as in a program', async () => {
  expect((await fetch(url)).status).toBe(401)
  const basic = Buffer.from(`oncekey:${token}`).toString('base64')
  for (const authorization of [`Bearer ${token}`, `Basic ${basic}`]) {
    const page = await fetch(url, { headers: { authorization } })
    expect(page.status).toBe(200)
    expect(await page.text()).toContain('Sagas that need a person')
  }
  const wrong = await oncekey(['keys', 'list', '--url', url, '--token', 'guessed'])
  expect(wrong.code).toBe(1)
  expect(wrong.stderr).toContain('is --token right?')
})

test('keys are listed, shown, released and answered through it', async () => {
  const list = await through(['keys', 'list', '--state', 'unknown', '--limit', '1'])
  expect(list.stdout).toMatch(/unknown .*lost-1\n/)
  expect(list.stdout).toContain('--page ')
  const scope = ['--scope', 'customer-7']
  expect((await through(['keys', 'release', 'lost-1', ...scope, ...act])).code).toBe(0)
  const answered = ['--status', '201', '--header', 'content-type: application/json', '--body', '{}']
  expect((await through(['keys', 'answer', 'lost-2', ...scope, ...answered, ...act])).code).toBe(0)
  const shown = await through(['keys', 'get', 'lost-2', ...scope, '--body'])
  expect(shown.stdout).toContain('state        finished\n')
  expect(shown.stdout).toContain('Body\n    {}\n')
  expect((await through(['keys', 'get', 'lost-1', ...scope])).code).toBe(1)
})

// A bug: a filter that was empty, because a variable of the shell was not set, matched nothing in a
// database, but through a dashboard it was no filter, and all dead letters were redriven.
test.each(['--origin', '--subject', '--kind', '--event', '--request-id'])(
  'an empty %s redrives nothing, through a dashboard or not',
  async (option) => {
    const all = option === '--request-id' ? ['--all'] : []
    const args = ['dead', 'redrive', ...all, option, '', '--start', ...act]
    for (const ran of [
      await through(args),
      await oncekey([...args, '--database', database.url()]),
    ]) {
      expect(ran).toMatchObject({ code: 2, stdout: '' })
      expect(ran.stderr).toContain(`${option} is empty`)
    }
    const { redrives } = postgresLog({ client: database.pool() }).deadLetters
    expect((await redrives?.list({}, { limit: 10 }))?.items).toEqual([])
  },
)

test('a dead letter is delivered with other data through it', async () => {
  const [{ id }] = JSON.parse((await through(['dead', 'list', '--json'])).stdout).items
  const edit = ['dead', 'edit', id, '--data-file', '-', ...act]
  const options = { env: { ONCEKEY_URL: url, ONCEKEY_TOKEN: token }, input: '{"total":1}' }
  const replaced = await oncekey([...edit, '--json'], options)
  const { next } = JSON.parse(replaced.stdout)
  expect((await through(['dead', 'show', next, '--data'])).stdout).toBe('{"total":1}\n')
  expect((await oncekey(edit, options)).code).toBe(1)
})

test('dead letters are listed, shown, redriven and discarded through it', async () => {
  const list = JSON.parse((await through(['dead', 'list', '--json'])).stdout)
  expect(list.items).toHaveLength(2)
  const [first, second] = list.items
  const shown = await through(['dead', 'show', first.id])
  expect(shown.stdout).toContain('{"total":9007199254740993}')
  expect((await through(['dead', 'preview'])).stdout).toMatch(/^2 dead letters of consumers would/)
  // Carries the redrive as a relay of the shop would.
  const { redrives } = postgresLog({ client: database.pool() }).deadLetters
  const carrying = setInterval(() => void redrives?.carry(), 100)
  const redriven = await through(['dead', 'redrive', first.id, '4711', ...act])
  clearInterval(carrying)
  expect(redriven).toMatchObject({ code: 1, stderr: expect.stringContaining('Ctrl-C cancels it') })
  expect(redriven.stdout).toMatch(/^1 of 2 dead letters are on their way again/)
  expect(redriven.stdout).toContain('4711')
  expect((await through(['dead', 'discard', second.id, ...act])).code).toBe(0)
  expect(JSON.parse((await through(['dead', 'list', '--json'])).stdout).items).toEqual([])
})

test('a saga is shown and settled through it', async () => {
  expect((await through(['sagas', 'list', '--stuck'])).stdout).toMatch(/order-1 +order 1 +stuck/)
  expect((await through(['sagas', 'show', 'order-1'])).stdout).toContain('the carrier is down')
  const past = await through(['sagas', 'compensate', 'order-1', ...act])
  expect(past).toMatchObject({ code: 1, stderr: expect.stringContaining('past its pivot') })
  expect((await through(['sagas', 'settle', 'order-1', ...act])).code).toBe(0)
})

test('consumers, events and redrives are shown through it, and acted on', async () => {
  const { items } = JSON.parse((await through(['consumers', 'list', '--json'])).stdout)
  expect(items).toMatchObject([{ name: 'email', lag: { events: 0 }, relays: [] }])
  // The list did not say it, although the page of OncekeyConsumerBehind sends its reader there.
  const listed = async () => (await through(['consumers', 'list'])).stdout
  expect(await listed()).not.toContain('paused')
  expect((await through(['consumers', 'pause', 'email', ...act])).stdout).toContain('is paused')
  expect(await listed()).toMatch(/^email .* ago, paused/m)
  expect((await through(['consumers', 'pause', 'email', ...act])).code).toBe(1)
  expect((await through(['consumers', 'resume', 'email', ...act])).stdout).toContain('is running')
  expect((await through(['consumers', 'pause', 'nobody', ...act])).code).toBe(1)
  const tail = await through(['events', 'tail', '--type', 'order.*', '--limit', '1'])
  expect(tail.stdout).toMatch(/order\.placed +order-3 /)
  expect(tail.stdout).toContain('--page ')
  expect(await through(['events', 'tail', '--follow'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('name the database'),
  })
  const shown = await through(['events', 'show', '0190b5a0-0000-7000-8000-000000000001'])
  expect(shown.stdout).toContain('{"total":9007199254740993}')
  const id = await postgresLog({ client: database.pool() }).deadLetters.redrives?.start({}, {})
  const redrives = JSON.parse((await through(['redrives', 'list', '--json'])).stdout)
  expect(redrives.items[0]).toMatchObject({ id, state: 'running' })
  expect((await through(['redrives', 'cancel', String(id), ...act])).code).toBe(0)
  expect((await through(['redrives', 'cancel', String(id), ...act])).code).toBe(1)
  expect((await through(['redrives', 'show', String(id)])).stdout).toMatch(/state +cancelled/)
  const started = await through(['dead', 'redrive', '--all', '--start', ...act, '--json'])
  const { redrive } = JSON.parse(started.stdout)
  const named = ['dead', 'redrive', '--all', '--start', '--request-id', 'nightly-7', ...act]
  const once = JSON.parse((await through([...named, '--json'])).stdout)
  const again = JSON.parse((await through([...named, '--json'])).stdout)
  expect(once.isNew).toBe(true)
  expect(again).toMatchObject({ redrive: once.redrive, isNew: false })
  const said = `It was there already: redrive ${once.redrive}`
  expect((await through(named)).stdout).toContain(said)
  expect(await through([...named, '--limit', '1'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('this requestId is the name of redrive'),
  })
  const watching = through(['redrives', 'watch', redrive])
  await postgresLog({ client: database.pool() }).deadLetters.redrives?.carry()
  expect(await watching).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/done: 0 of 0\n$/),
  })
  const watched = await through(['redrives', 'watch', String(id)])
  expect(watched).toMatchObject({ code: 1, stdout: 'cancelled: 0 of 0\n' })
})

test('endpoints are listed, paused, rotated and replayed through it', async () => {
  const hooks = webhooks({ client: database.pool() })
  const { endpoint } = await hooks.endpoints.register({
    url: 'https://shop.example/hooks',
    types: ['order.*'],
  })
  const { id } = endpoint
  expect((await through(['webhooks', 'endpoints'])).stdout).toContain(`${id}  enabled`)
  expect((await through(['webhooks', 'pause', id, ...act])).stdout).toContain('is paused')
  expect((await through(['webhooks', 'resume', id, ...act])).stdout).toContain('is enabled')
  expect((await through(['webhooks', 'pause', id, ...act])).stdout).toContain('is paused')
  expect((await through(['webhooks', 'enable', id, ...act])).stdout).toContain('is enabled')
  const rotated = await through(['webhooks', 'rotate', id, '--overlap', '30m', ...act])
  expect(rotated.stdout).toMatch(/\nwhsec_\S+\n$/)
  const replayed = await through(['webhooks', 'replay', id, '--since', '1h', ...act, '--json'])
  const { redrive } = JSON.parse(replayed.stdout)
  const show = ['redrives', 'show', redrive, '--of', 'webhooks']
  expect((await through(show)).stdout).toContain('what      window')
  const none = await through(['webhooks', 'deliveries', '--endpoint', id])
  expect(none).toMatchObject({ code: 0, stdout: 'There are no such deliveries.\n' })
  expect((await through(['webhooks', 'deliveries', '999'])).code).toBe(1)
  expect(await through(['webhooks', 'deliveries'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--endpoint'),
  })
  expect(await through(['webhooks', 'ping', id, '--allow-http'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('it is the dashboard that sends'),
  })
})

test('redrives and pauses are on record, and their acts in the audit', async () => {
  const { run } = database
  const none = await run(['redrives', 'list', '--of', 'sagas'])
  expect(none.stdout).toBe('Nothing of sagas has been redriven.\n')
  const id = await postgresLog({ client: database.pool() }).deadLetters.redrives?.start({}, {})
  expect((await run(['redrives', 'show', String(id)])).stdout).toMatch(/state +running/)
  expect((await run(['redrives', 'cancel', String(id), ...act])).code).toBe(0)
  expect((await run(['redrives', 'cancel', String(id), ...act])).code).toBe(1)
  // The list did not say it, although the page of OncekeyConsumerBehind sends its reader there.
  const listed = async () => (await run(['consumers', 'list'])).stdout
  expect(await listed()).not.toContain('paused')
  expect((await run(['consumers', 'pause', 'email', ...act])).stdout).toContain('is paused')
  expect(await listed()).toMatch(/^email .* ago, paused/m)
  expect((await run(['consumers', 'pause', 'email', ...act])).code).toBe(1)
  expect((await run(['consumers', 'resume', 'email', ...act])).stdout).toContain('is running')
  expect((await run(['consumers', 'pause', 'nobody', ...act])).code).toBe(1)
  const { stdout } = await run(['operations', 'list', '--json'])
  const acts = JSON.parse(stdout).items.map((entry: { act: string }) => entry.act)
  expect(acts).toEqual(
    expect.arrayContaining(['redrives.cancel', 'consumers.pause', 'consumers.resume']),
  )
})

test('who acts is what the dashboard says of the token', async () => {
  const { stdout } = await through(['operations', 'list', '--act', 'keys.release', '--json'])
  expect(JSON.parse(stdout).items).toMatchObject([
    { actor: 'maria@shop.example', act: 'keys.release', note: 'seen at the gateway' },
  ])
})

test('what cannot be asked is refused with a sentence', async () => {
  for (const [args, code, sentence] of [
    [['keys', 'list', '--url', 'x'], 2, 'must be where a dashboard is'],
    [['keys', 'list', '--url', url, '--database', 'postgres://x/y'], 2, 'asked instead of'],
    [['keys', 'list', '--url', 'http://127.0.0.1:1/'], 3, 'does not answer'],
    [['dashboard', '--port', '99999', '--database', database.url()], 2, '--port'],
  ] as const) {
    const ran = await oncekey(args, { env: bareEnv() as Record<string, string> })
    expect(ran.stderr).toContain(sentence)
    expect(ran.code).toBe(code)
  }
})
