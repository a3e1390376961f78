import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { waitFor } from '@oncekey/test-servers'
import type { WebhookErrorMessage } from '@oncekey/webhooks'
import { expect, onTestFinished, test } from 'vitest'
import { startReceiver } from '../servers/receiver.ts'
import { fanOut } from '../servers/webhooks-database.ts'
import { database, events } from './gates.ts'

// A bug: a verdict that had not been recorded when the pool was ended was tried again until its
// lease was over. That kept the process alive, with an error every 210 ms.
test('a verdict is given up once the pool was ended', async () => {
  const errors: WebhookErrorMessage[] = []
  const heard = (message: unknown) => void errors.push(message as WebhookErrorMessage)
  subscribe('oncekey:webhook-error', heard)
  onTestFinished(() => void unsubscribe('oncekey:webhook-error', heard))
  let answer = () => {}
  const receiver = await startReceiver((_, response) => {
    answer = () => void response.writeHead(204).end()
  })
  const pool = database.pool()
  const hooks = database.hooks({ client: pool })
  await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  await fanOut(hooks, database.pool(), events(1))
  const sent = hooks.createWorker({ leaseMs: 600_000 }).deliverOnce()
  await waitFor(() => receiver.received.length, { what: 'the delivery to be under way' })
  await pool.end()
  answer()
  expect(await sent).toBe(1)
  expect(errors.filter(({ during }) => during === 'settle')).toHaveLength(1)
})
