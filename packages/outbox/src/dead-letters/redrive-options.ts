import type { ActedBy, Redriven } from '@oncekey/core'

export interface RedriveOptions extends ActedBy {
  /** Only counts what would be redriven. @default false */
  readonly preview?: boolean
  /** How many dead letters are put back per second. @default 50 */
  readonly ratePerSecond?: number
  /** The most dead letters to put back. @default all that match */
  readonly limit?: number
  /** Cancels the redrive. */
  readonly signal?: AbortSignal
  /** Called after each portion. */
  readonly onProgress?: (progress: { readonly redriven: number; readonly matched: number }) => void
}

export interface RedriveResult extends Redriven {
  /** How many matched when the redrive began. */
  readonly matched: number
  readonly preview: boolean
  /** The id of the redrive; a preview has none. */
  readonly id?: string
}
