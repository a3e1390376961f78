import { bareTransaction } from './bare-transaction.ts'
import { claimThenWork } from './claim-then-work.ts'
import type { Contender, ContenderOptions } from './contender.ts'
import { oncekey } from './oncekey.ts'

/** The contenders by the names that programs take. A new peer is a file here and a line below. */
export const contenders = {
  'bare transaction': bareTransaction,
  'claim, then work': claimThenWork,
  Oncekey: oncekey,
} satisfies Record<string, (options: ContenderOptions) => Contender>

export type ContenderName = keyof typeof contenders
