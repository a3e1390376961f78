import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'

export interface Charge {
  readonly id: string
  readonly cents: number
}

/**
 * Takes the place of another company's service that accepts idempotency keys, such as Stripe. Its
 * books are in Redis, so they survive a crash of this process.
 */
export function cardGateway(books: Redis): {
  charge(cents: number, key: string): Promise<Charge>
  charged(): Promise<number>
} {
  return {
    async charge(cents, key) {
      const charge: Charge = { id: `ch_${randomUUID().slice(0, 8)}`, cents }
      const made = await books.hsetnx('gateway:charges', key, JSON.stringify(charge))
      if (made === 1) return charge
      return JSON.parse((await books.hget('gateway:charges', key)) as string)
    },
    charged: () => books.hlen('gateway:charges'),
  }
}
