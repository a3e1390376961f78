import { once as emitted } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { dashboardApi } from '../src/remote/api.ts'
import { remoteConsumers } from '../src/remote/consumers.ts'
import { remoteDeadLetters } from '../src/remote/dead-letters.ts'
import { remoteEvents } from '../src/remote/events.ts'
import { remoteKeys, remoteOperations } from '../src/remote/keys.ts'
import { remoteSagas } from '../src/remote/sagas.ts'
import { remoteWebhooks } from '../src/remote/webhooks.ts'

/** What answers each request in place of the dashboard that was meant. */
async function answering(answer: (req: IncomingMessage, res: ServerResponse) => void) {
  const server = createServer(answer)
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  server.listen(0, '127.0.0.1')
  await emitted(server, 'listening')
  const href = `http://127.0.0.1:${(server.address() as AddressInfo).port}/admin/`
  const address = { href, authorization: 'Bearer t' }
  return dashboardApi({ address, timeoutMs: 10_000, onActed: () => {} })
}

const json = (status: number, body: object) => (_: IncomingMessage, res: ServerResponse) => {
  res.writeHead(status, { 'content-type': 'application/json; charset=utf-8' })
  res.end(JSON.stringify(body))
}
const html = (status: number) => (_: IncomingMessage, res: ServerResponse) => {
  res.writeHead(status, { 'content-type': 'text/html' }).end('<h1>No such page</h1>')
}

const ELSEWHERE: readonly [string, (req: IncomingMessage, res: ServerResponse) => void][] = [
  ['a page of the application', html(404)],
  ['the start page of the application', html(200)],
  ['the JSON of the application', json(404, { message: 'Cannot GET', error: 'Not Found' })],
  ['some other JSON', json(200, { ok: true })],
  ['no object', json(200, [])],
  ['a dashboard without such a page', json(404, { error: 'No such page.', code: 'not-shown' })],
  ['a dashboard of the release before', json(404, { error: 'There is no such page.' })],
]

// A bug: any 404 was taken for "there is nothing". A check by cron against a path that had moved
// was told that there are no keys of unknown outcome, with exit code 0, for ever.
test.each(ELSEWHERE)('a list is not empty where it is %s that answers', async (_, answer) => {
  const api = await answering(answer)
  const note = () => 'as agreed'
  const page = { limit: 10 }
  const dead = remoteDeadLetters(api, 'webhooks', note)
  const { endpoints } = remoteWebhooks(api, note)
  const lists: readonly (() => Promise<unknown> | undefined)[] = [
    () => remoteKeys(api).list({ state: 'unknown' }, page),
    () => remoteOperations(api).list({}, page),
    () => remoteEvents(api).list({}, page),
    () => remoteSagas(api, note).list({ stuck: true }),
    () => remoteConsumers(api, note).list(),
    () => endpoints.list(),
    () => dead.list({}, page),
    () => dead.stats(),
    () => dead.redrives?.list({}, page),
  ]
  for (const list of lists) {
    await expect(Promise.resolve(list()), String(list)).rejects.toThrow()
  }
})

// After "a request with it would run" somebody pays again.
test.each(ELSEWHERE.filter(([name]) => name !== 'some other JSON' && name !== 'no object'))(
  'a key is not free where it is %s that answers',
  async (_, answer) => {
    const keys = remoteKeys(await answering(answer))
    const name = { namespace: 'http', scope: 'customer-7', key: 'k' }
    await expect(keys.get(name)).rejects.toThrow(/404|answers|not-shown|not show/)
  },
)

test('a key is free where the dashboard has looked', async () => {
  const keys = remoteKeys(await answering(json(404, { error: 'It is free.', code: 'absent' })))
  expect(await keys.get({ namespace: 'http', scope: 'c', key: 'k' })).toBeUndefined()
})

test('what the dashboard of the release before says of a key is told', async () => {
  const keys = remoteKeys(await answering(json(404, { error: 'Nothing is known of this key.' })))
  const name = { namespace: 'http', scope: 'customer-7', key: 'k' }
  await expect(keys.get(name)).rejects.toThrow('Nothing is known of this key.')
})

// A bug: the sentence of the dashboard was the body, and unsealing it said that the key was wrong.
test.each([
  ['sealed, by one of the release before', { seal: 'k1' }, { body: 'Sealed with "k1".' }, 'sealed'],
  ['sealed', { seal: 'k1' }, { body: null, noBody: 'sealed' }, 'sealed'],
  ['no text', { seal: null }, { body: null, noBody: 'not-text' }, 'not-text'],
])('a body that is %s is no body', async (_, response, answer, noBody) => {
  const key = { state: 'finished', response: { status: 201, headers: [], body: null, ...response } }
  const keys = remoteKeys(await answering(json(200, { key, ...answer })))
  const found = await keys.get({ namespace: 'http', scope: 'c', key: 'k' }, { body: true })
  expect(found?.response?.body).toBeNull()
  expect(found).toMatchObject({ noBody })
})
