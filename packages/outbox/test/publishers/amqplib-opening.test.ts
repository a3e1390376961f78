import { amqplibConnection } from '@oncekey/outbox/amqplib'
import { expect, test } from 'vitest'
import type { RabbitEnvelope } from '../../src/rabbitmq.ts'

// A bug: the connection stayed open, and each further attempt opened one more.
test('a connection on which no channel can be opened is closed', async () => {
  const open = new Set<object>()
  const connection = amqplibConnection(async () => {
    const made = {
      connection: {},
      on: () => made,
      createConfirmChannel: () => Promise.reject(new Error('No channels left to allocate')),
      async close() {
        open.delete(made)
      },
    }
    open.add(made)
    return made
  })
  const channel = connection.createPublisher({ confirm: true, maxAttempts: 1 })
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const sent = channel.send({} as RabbitEnvelope, Buffer.from('{}'))
    await expect(sent).rejects.toThrow('No channels left')
  }
  expect(open.size).toBe(0)
})
