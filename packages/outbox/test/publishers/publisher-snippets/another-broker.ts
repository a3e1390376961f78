import { consumer } from '@oncekey/outbox'

/** What your broker's client can do. `send` resolves when the broker has the message. */
interface Client {
  send(message: { key: string; id: string; type: string; json: string }): Promise<void>
}

export const publisherTo = (client: Client) =>
  consumer({
    name: 'broker',
    ordered: true,
    maxAttempts: 10_000,
    isPermanent: (error) => error instanceof Error && error.name === 'MessageTooLarge',
    handle: ({ event: { orderingKey, id, type, json } }) =>
      client.send({ key: orderingKey, id, type, json }),
  })
