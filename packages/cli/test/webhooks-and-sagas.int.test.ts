import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createRelay, PermanentError } from '@oncekey/outbox'
import { postgresLog } from '@oncekey/postgres'
import { createSagaRunner, saga } from '@oncekey/saga'
import { waitFor } from '@oncekey/test-servers'
import { webhooks } from '@oncekey/webhooks'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
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

describe('webhooks', () => {
  let receiver: Server
  let url = ''
  let answer = 500
  let endpointId = ''

  beforeAll(async () => {
    receiver = createServer((_request, response) => {
      response.writeHead(answer).end('out of \u001b[31morder')
    })
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`
    const hooks = webhooks({
      client: database.pool(),
      allowHttp: true,
      allowAddresses: ['127.0.0.1'],
      schedule: [],
    })
    const { endpoint } = await hooks.endpoints.register({ url, types: ['hooked'] })
    endpointId = endpoint.id
    const log = postgresLog({ client: database.pool() })
    await log.subscribe({ consumer: 'webhooks', types: null, startAt: 'now' })
    await log.append([eventOf('hooked')])
    const relay = createRelay({ log, consumers: [hooks.consumer as never] })
    while ((await relay.runOnce()) > 0);
    await relay.stop()
    await hooks.createWorker().deliverOnce()
  })

  afterAll(() => receiver.close())

  test('endpoints and deliveries are listed, one with every attempt', async () => {
    const endpoints = await run(['webhooks', 'endpoints'])
    expect(endpoints.stdout).toMatch(new RegExp(`${endpointId} +enabled .* hooked +${url}\n`))
    const list = await run(['webhooks', 'deliveries', '--state', 'dead'])
    expect(list.stdout).toMatch(/ dead +1 +- +hooked +\S+ +status 500\n/)
    const [{ id }] = JSON.parse((await run(['webhooks', 'deliveries', '--json'])).stdout).items
    const shown = await run(['webhooks', 'deliveries', id])
    expect(shown.stdout).toMatch(
      /Attempt 1\n.*: 500 \(status 500\)\n(.*\n)? {4}out of \\x1b\[31morder\n/,
    )
    const dead = await run(['dead', 'list', '--of', 'webhooks'])
    expect(dead.stdout).toMatch(/hooked/)
    expect((await run(['webhooks', 'deliveries', '999999'])).code).toBe(1)
    expect((await run(['webhooks', 'endpoints', '--page', 'x'])).code).toBe(2)
  })

  test('ping says what came back, and ends with 1 where it was not taken', async () => {
    const ping = ['webhooks', 'ping', endpointId]
    const guarded = await run(ping)
    expect(guarded).toMatchObject({ code: 1, stdout: expect.stringMatching(/^Not taken: /) })
    const allowed = [...ping, '--allow-http', '--allow-address', '127.0.0.1']
    const refused = await run(allowed)
    expect(refused.stdout).toMatch(/^Not taken: status 500, after \d+ms\.\n(.*\n)? {4}out of \\x1b/)
    answer = 204
    const taken = await run(allowed)
    expect(taken).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Taken: 204, after/) })
    expect((await run(['webhooks', 'ping', v7()])).code).toBe(1)
  })

  test('rotate prints a new secret, which signs beside the one before', async () => {
    const rotated = await run(['webhooks', 'rotate', endpointId, '--overlap', '1h', ...act])
    expect(rotated.stdout).toMatch(/\nwhsec_\S+\n$/)
    const hooks = webhooks({ client: database.pool() })
    const secrets = await hooks.endpoints.secrets(endpointId)
    expect(secrets).toHaveLength(2)
    expect(rotated.stdout).toContain(secrets[0]?.secret)
  })

  test('an endpoint is paused, resumed and enabled, and all are in the audit', async () => {
    const paused = await run(['webhooks', 'pause', endpointId, ...act])
    expect(paused).toMatchObject({ code: 0, stdout: `${url} is paused.\n` })
    expect((await run(['webhooks', 'endpoints', '--status', 'paused'])).stdout).toContain(
      endpointId,
    )
    for (const verb of ['resume', 'enable']) {
      const enabled = await run(['webhooks', verb, endpointId, ...act])
      expect(enabled).toMatchObject({ code: 0, stdout: `${url} is enabled.\n` })
    }
    const acts = await query<{ act: string; actor: string }>(
      "select act, actor from oncekey.operations where act like 'endpoints.%' order by id desc limit 3",
    )
    expect(acts).toEqual([
      { act: 'endpoints.enable', actor: 'maria@shop.example' },
      { act: 'endpoints.resume', actor: 'maria@shop.example' },
      { act: 'endpoints.pause', actor: 'maria@shop.example' },
    ])
    expect((await run(['webhooks', 'pause', v7(), ...act])).code).toBe(1)
  })

  test('what was sent in a time is sent again, as a redrive on record', async () => {
    const replay = ['webhooks', 'replay', endpointId]
    expect(await run([...replay, ...act])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--since is missing'),
    })
    expect((await run(['webhooks', 'replay', v7(), '--since', '1h', ...act])).code).toBe(1)
    const started = await run([...replay, '--since', '1h', '--rate', '1000', ...act, '--json'])
    const { redrive } = JSON.parse(started.stdout)
    const hooks = webhooks({
      client: database.pool(),
      allowHttp: true,
      allowAddresses: ['127.0.0.1'],
    })
    const worker = hooks.createWorker()
    await waitFor(
      async () => {
        await worker.deliverOnce()
        const shown = await run(['redrives', 'show', redrive, '--of', 'webhooks', '--json'])
        return JSON.parse(shown.stdout).state !== 'running'
      },
      { what: 'the redrive to be carried' },
    )
    while ((await worker.deliverOnce()) > 0);
    const { items } = JSON.parse((await run(['webhooks', 'deliveries', '--json'])).stdout)
    expect(items).toMatchObject([{ state: 'delivered' }])
  })
})

describe('sagas', () => {
  let carrierIsDown = true

  const order = saga<{ readonly item: string }, unknown>('order', { version: 1 })
    .step('charge', { run: async () => ({ charged: 42 }), compensate: async () => {} })
    .step('ship', {
      kind: 'pivot',
      run: async () => {
        if (carrierIsDown) throw new PermanentError('the carrier \u001b[2J is down')
        return { parcel: 1 }
      },
    })

  const runner = () => createSagaRunner({ client: database.pool(), sagas: [order as never] })

  test('are listed and shown with their story; resume, compensate and settle act on them', async () => {
    expect((await run(['sagas', 'list'])).stdout).toBe('There are no such runs.\n')
    await runner()
      .execute(order as never, { id: 'order-1', input: { item: 'kettle' } as never })
      .catch(() => {})
    const list = await run(['sagas', 'list'])
    expect(list.stdout).toMatch(
      /order-1 +order 1 +\S+ .* ship +PermanentError: the carrier \\x1b\[2J is down\n/,
    )
    const shown = await run(['sagas', 'show', 'order-1'])
    expect(shown.stdout).toMatch(/charge +\S+ +1 +/)
    expect(shown.stdout).toMatch(/saga "order" version 1 started\n/)
    expect((await run(['sagas', 'show', 'nobody'])).code).toBe(1)
    expect((await run(['sagas', 'settle', 'nobody', ...act])).code).toBe(1)
  })

  test('a run that is under way is compensated by whoever asks, and its end is refused in a sentence', async () => {
    carrierIsDown = false
    await runner().execute(order as never, { id: 'order-2', input: { item: 'pan' } as never })
    const done = await run(['sagas', 'compensate', 'order-2', ...act])
    expect(done.code).toBe(1)
    expect(done.stderr).toMatch(/^oncekey: Run order-2 /)
    await runner().submit(order as never, { id: 'order-3', input: { item: 'pot' } as never })
    const undone = await run(['sagas', 'compensate', 'order-3', ...act])
    expect(undone.stdout).toMatch(/^Run order-3 is compensat(ing|ed) now\.\n/)
    await runner().submit(order as never, { id: 'order-4', input: { item: 'lid' } as never })
    const settled = await run(['sagas', 'settle', 'order-4', ...act, '--json'])
    expect(JSON.parse(settled.stdout)).toMatchObject({
      id: 'order-4',
      state: 'settled',
      done: true,
    })
    const shown = await run(['sagas', 'show', 'order-4'])
    expect(shown.stdout).toMatch(/note +the mail server is back\n/)
    const resumed = await run(['sagas', 'resume', 'order-4', ...act])
    expect(resumed).toMatchObject({
      code: 1,
      stderr: 'oncekey: Run order-4 is settled: nothing was changed.\n',
    })
  })
})

test('a command that is proposed is one, whatever a run is called', async () => {
  for (const id of ['a', "z'; touch /tmp/pwned; '"]) {
    await query(
      `insert into oncekey.saga_runs (id, saga, version, definition, plan, fingerprint, state, input, started_at)
        values ($1, 'named', 1, 'd', '[]', 'f', 'completed', '{}', now())`,
      [id],
    )
  }
  const { stdout } = await run(['sagas', 'list', '--saga', 'named', '--limit', '2'])
  expect(stdout).toContain(String.raw`--page 'z'\''; touch /tmp/pwned; '\'''`)
})

describe('completion', () => {
  test('bash completes groups, verbs, options and their values', async () => {
    const { stdout } = await run(['completion', 'bash'])
    const { execFileSync } = await import('node:child_process')
    const completed = (...words: string[]) =>
      execFileSync(
        'bash',
        [
          '-c',
          `${stdout}\nCOMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')})\nCOMP_CWORD=${words.length - 1}\n_oncekey\necho "\${COMPREPLY[@]}"`,
        ],
        { encoding: 'utf8' },
      ).trim()
    expect(completed('oncekey', 'de')).toBe('dead')
    expect(completed('oncekey', 'dead', 're')).toBe('redrive')
    expect(completed('oncekey', 'dead', 'redrive', '--ra')).toBe('--rate')
    expect(completed('oncekey', 'keys', 'list', '--state', 'un')).toBe('unknown')
    expect(completed('oncekey', 'migrate', '--pl')).toBe('--plan')
    expect((await run(['completion', 'cmd'])).code).toBe(2)
  })
})
