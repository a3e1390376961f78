import { expect, onTestFinished, test } from 'vitest'
import { startReceiver } from '../servers/receiver.ts'
import { fanOut } from '../servers/webhooks-database.ts'
import { database, events } from './gates.ts'

// A bug: one round after another failed, and nothing was sent, because the redrives that it carries
// first could not be read.
test('what is due is sent even if redrives cannot be carried', async () => {
  const hooks = database.hooks()
  const receiver = await startReceiver(204)
  await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  await fanOut(hooks, database.pool(), events(1))
  await database.query('alter table oncekey.redrives rename to redrives_away')
  onTestFinished(async () => {
    await database.query('alter table oncekey.redrives_away rename to redrives')
  })
  expect(await hooks.createWorker().deliverOnce()).toBe(1)
  expect(receiver.received).toHaveLength(1)
})
