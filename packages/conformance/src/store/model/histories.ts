import fc from 'fast-check'
import type { StoreContext } from '../fixture/store-context.ts'

export type Operation =
  | {
      readonly kind: 'claim'
      readonly key: number
      readonly request: string
      readonly whenUnknown: 'retake' | 'hold'
    }
  | {
      readonly kind: 'complete' | 'refuse' | 'release' | 'abandon' | 'renew' | 'write'
      /** Counted back from the most recently won attempt. */
      readonly attempt: number
    }

/** Concurrent operations, or the end of every lease. */
export type Step = readonly Operation[] | 'lapse'

export function histories({ store, fixture }: StoreContext): fc.Arbitrary<Step[]> {
  const { mode, transactions, concurrency } = store.capabilities
  const ends = ['complete', 'complete', 'refuse', 'release', 'abandon'] as const
  const renewing = mode === 'lease' ? (['renew'] as const) : []
  const writing = transactions && fixture.written !== undefined ? (['write', 'write'] as const) : []
  const operation = fc.oneof(
    fc.record({
      kind: fc.constant('claim' as const),
      // A store with one session would wait for the attempt on the other key.
      key: fc.nat(concurrency === 'one' ? 0 : 1),
      request: fc.constantFrom('a', 'a', 'a', 'b'),
      whenUnknown: fc.constantFrom('retake', 'retake', 'hold'),
    }),
    fc.record({
      kind: fc.constantFrom(...ends, ...renewing, ...writing),
      attempt: fc.nat(3),
    }),
  )
  const atOnce = fc.array(operation, { minLength: 1, maxLength: 4 })
  const canLapse = mode === 'lease' && fixture.advance !== undefined
  const step = canLapse
    ? fc.oneof({ weight: 4, arbitrary: atOnce }, { weight: 1, arbitrary: fc.constant('lapse') })
    : atOnce
  return fc.array(step, { minLength: 3, maxLength: 20, size: 'max' })
}
