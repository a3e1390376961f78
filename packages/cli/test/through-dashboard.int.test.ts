import { once as emitted } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { postgresLog } from '@oncekey/postgres'
import { redisStore } from '@oncekey/redis'
import { startRedis } from '@oncekey/test-servers'
import { leaveUnknown } from '@oncekey/test-shop'
import { webhooks } from '@oncekey/webhooks'
import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { dashboardWith } from './dashboard-process.ts'
import { oncekey } from './oncekey.ts'
import { refuseAll } from './refuse-all.ts'
import { cliDatabase } from './servers.ts'

const database = cliDatabase(['webhooks'])
const act = ['--note', 'the receiver is back', '--yes']
const EVENT = '0190b5a0-0000-7000-8000-000000000001'

const maria = ['--actor', 'maria@shop.example']
const shop = () => dashboardWith({ DATABASE_URL: database.url() }, maria)

/** An event whose webhook is dead, while no consumer has a dead letter. */
async function deadWebhook(): Promise<string> {
  const hooks = webhooks({ client: database.pool() })
  const url = 'https://receiver.example/hooks'
  const { endpoint } = await hooks.endpoints.register({ url, types: ['order.*'] })
  await database.query(
    `insert into oncekey.webhook_messages (id, type, source, headers, body, occurred_at)
      values ($1, 'order.placed', '/shop', '{}', '{"data":1}', now())
      on conflict do nothing`,
    [EVENT],
  )
  await database.query(
    `insert into oncekey.webhook_deliveries (message_id, endpoint_id, state, reason, error,
        created_at, ended_at, died_at, attempts, tries)
      values ($1, $2, 'dead', 'exhausted', 'status 503', now(), now(), now(), 1, 1)`,
    [EVENT, endpoint.id],
  )
  return endpoint.id
}

// A bug: through a dashboard both verbs asked for the dead letters of consumers only, and said that
// there are none, and that the event is a dead letter of nobody.
test('every source is asked through a dashboard, and what is not shown is said', async () => {
  await deadWebhook()
  const { through } = await shop()
  const groups = await through(['dead', 'groups'])
  expect(groups).toMatchObject({ code: 0, stderr: '' })
  expect(groups.stdout).toMatch(/^webhooks +\S+ +1 /m)
  expect(groups.stdout).toContain('This dashboard does not show those of sagas.')
  const json = JSON.parse((await through(['dead', 'groups', '--json'])).stdout)
  expect(json.sources.map(({ of }: { of: string }) => of)).toEqual(['consumers', 'webhooks'])
  expect(json.notShown).toEqual(['sagas'])
  const shown = await through(['events', 'show', EVENT])
  expect(shown.stdout).toMatch(/ webhooks +\S+ +\d+ /)
  const none = await through(['dead', 'groups', '--of', 'sagas'])
  expect(none).toMatchObject({ code: 1, stdout: '' })
  expect(none.stderr).toContain('does not show the dead letters of sagas')
  const stuck = await through(['sagas', 'list', '--stuck'])
  expect(stuck).toMatchObject({ code: 1, stdout: '' })
  expect(stuck.stderr).toContain('The dashboard does not show sagas')
})

// A bug: the list was empty, with exit code 0.
test('keys are not listed through a dashboard of Redis, which says so', async () => {
  const redis = await startRedis({})
  onTestFinished(() => redis.stop())
  const client = new Redis(redis.url)
  onTestFinished(() => void client.disconnect())
  await leaveUnknown(redisStore({ client }), 'lost')
  const { through } = await dashboardWith({ REDIS_URL: redis.url })
  const listed = await through(['keys', 'list', '--state', 'unknown'])
  expect(listed).toMatchObject({ code: 1, stdout: '' })
  const direct = await oncekey(['keys', 'list', '--state', 'unknown', '--redis', redis.url])
  expect(listed.stderr).toBe(direct.stderr)
  const got = await through(['keys', 'get', 'lost', '--scope', 'customer-7'])
  expect(got.stdout).toContain('unknown')
})

// A bug: what was printed was the login of this machine, or --actor, which were not sent.
test('who acted is who is on record, and --actor is refused', async () => {
  const log = postgresLog({ client: database.pool() })
  await log.subscribe({ consumer: 'email', types: null, startAt: 'beginning' })
  await log.append([
    {
      ...{ id: '0190b5a0-0000-7000-8000-0000000000aa', type: 'order.placed', source: '/shop' },
      ...{ subject: null, orderingKey: 'o', data: '{}', headers: {}, occurredAt: new Date() },
    },
  ])
  await refuseAll(log as never)
  const { through } = await shop()
  const [{ id }] = JSON.parse((await through(['dead', 'list', '--json'])).stdout).items
  const discard = ['dead', 'discard', id, ...act, '--json']
  const refused = await through([...discard, '--actor', 'root@ci'])
  expect(refused).toMatchObject({ code: 2, stdout: '' })
  expect(refused.stderr).toContain('--actor is not sent to a dashboard')
  const pause = ['consumers', 'pause', 'email', ...act]
  for (const args of [discard, [...pause, '--json']]) {
    const ran = await through(args)
    expect(ran.code).toBe(0)
    expect(JSON.parse(ran.stdout)).toMatchObject({
      actor: 'maria@shop.example',
      note: 'the receiver is back',
    })
  }
  const { stdout } = await database.run(['operations', 'list', '--limit', '2', '--json'])
  const actors = JSON.parse(stdout).items.map(({ actor }: { actor: string }) => actor)
  expect(actors).toEqual(['maria@shop.example', 'maria@shop.example'])
})

test('the address that is printed is one that can be given', async () => {
  const { address } = await shop()
  expect(address).toMatch(/^http:\/\/oncekey:.+@/)
  const ran = await oncekey(['keys', 'list', '--url', address])
  expect(ran).toMatchObject({ code: 0, stdout: 'There are no such keys.\n' })
})

/** Passes all on to the dashboard, and no answer of an act back. */
async function losesAnswers(url: string): Promise<string> {
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk)
    const { authorization = '', 'content-type': type = '' } = req.headers
    const isAct = req.method === 'POST'
    const response = await fetch(new URL(req.url ?? '/', url), {
      method: req.method ?? 'GET',
      headers: { authorization, 'content-type': type },
      ...(isAct && { body: Buffer.concat(chunks) }),
    })
    const text = await response.text()
    if (isAct) return
    res.writeHead(response.status, { 'content-type': 'application/json' }).end(text)
  })
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  server.listen(0, '127.0.0.1')
  await emitted(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

// A bug: the redrive was on record, the command said that the dashboard does not answer, and its
// repetition started a second one: every message of that time was sent twice.
test.each([
  ['webhooks replay', (id: string) => ['webhooks', 'replay', id, '--since', '1h']],
  ['dead redrive', () => ['dead', 'redrive', '--of', 'webhooks', '--all', '--start']],
] as const)('a %s whose answer is lost is repeated without a second one', async (_, argsOf) => {
  const endpoint = await deadWebhook()
  const { url, token, through } = await shop()
  const lossy = { ONCEKEY_URL: await losesAnswers(url), ONCEKEY_TOKEN: token }
  const args = [...argsOf(endpoint), ...act]
  const redrives = ['redrives', 'list', '--of', 'webhooks', '--json']
  const before = JSON.parse((await through(redrives)).stdout).items.length
  const lost = await oncekey([...args, '--timeout', '2s'], { env: lossy })
  expect(lost).toMatchObject({ code: 3, stdout: '' })
  expect(lost.stderr).toContain('does not answer')
  expect(lost.stderr).toContain('It may be on record')
  const again = [...lost.stderr.matchAll(/(--(?:since|until|request-id)) ([^\s,]+)/g)]
  const times = argsOf(endpoint).indexOf('--since')
  const plain = times < 0 ? args : args.toSpliced(times, 2)
  const repeated = await through([
    ...plain,
    ...again.flatMap(([, name = '', value = '']) => [name, value]),
  ])
  expect(repeated).toMatchObject({ code: 0, stderr: '' })
  expect(JSON.parse((await through(redrives)).stdout).items).toHaveLength(before + 1)
})
