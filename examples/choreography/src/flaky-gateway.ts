import { setTimeout } from 'node:timers/promises'
import type { Order } from './shop.ts'

/** A flaky payment gateway: every charge fails twice before it is answered. */
export function flakyGateway() {
  const calls = new Map<string, number>()
  const charges = new Map<string, number>()

  return {
    charges,
    failures: () => [...calls.values()].reduce((sum, count) => sum + Math.min(count, 2), 0),

    async charge(key: string, order: Order): Promise<'charged' | 'declined'> {
      const count = (calls.get(key) ?? 0) + 1
      calls.set(key, count)
      await setTimeout(5)
      if (count <= 2) throw new Error('the gateway did not answer')
      if (order.card === 'declined') return 'declined'
      charges.set(key, order.total)
      return 'charged'
    },
  }
}
