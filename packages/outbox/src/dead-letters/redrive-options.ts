import type { ActedBy, Redriven } from '@oncekey/core'

export interface RedriveOptions extends ActedBy {
  /** Only counts what would be redriven. @default false */
  readonly preview?: boolean
  /** How many dead letters are put back per second. @default 50 */
  readonly ratePerSecond?: number
  /** The most dead letters to put back. @default all that match */
  readonly limit?: number
  /**
   * The caller's name for this redrive, 1 to 200 characters. If the call is repeated with the same
   * name, because its process died, it waits for the redrive that the first call has started.
   * @default none; each call starts a redrive
   */
  readonly requestId?: string
  /**
   * Cancels the redrive. If it has aborted before the redrive is on record, the call rejects with
   * its reason, and there is no redrive.
   */
  readonly signal?: AbortSignal
  /** Called with the id of the redrive as soon as it is on record. */
  readonly onStart?: (id: string) => void
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
