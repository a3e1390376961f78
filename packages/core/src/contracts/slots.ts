import { hash } from 'node:crypto'

/** The number of slots, the same in every release and every log. */
export const SLOTS = 64

/** The slot of an ordering key. It must be the same in every release, or order would be lost. */
export function slotOf(orderingKey: string): number {
  return hash('sha256', orderingKey, 'buffer').readUInt8(0) % SLOTS
}

export interface LeaseRequest {
  readonly consumer: string
  /** The name of the asking relay, which no other relay in any process has. */
  readonly relay: string
  readonly leaseMs: number
  /**
   * The slots that the relay believes it holds. {@link Lease.lost} names those that it has lost.
   */
  readonly holding: readonly HeldSlot[]
  /**
   * The relay yields to another release: it keeps the slots that it holds until their work has
   * ended. @default false
   */
  readonly waiting?: boolean
}

/** A slot with the epoch that proves who holds it. */
export interface HeldSlot {
  readonly slot: number
  readonly epoch: string
}

export interface Lease {
  /** How many slots this relay should hold. */
  readonly share: number
  /** How many relays have asked lately. */
  readonly relays: number
  /** Slots taken by this call: read on from `position`. */
  readonly taken: readonly TakenSlot[]
  /**
   * Slots that are no longer this relay's. It stops their work, because nothing of it will be kept.
   * A slot can be in `taken` as well, under a new epoch.
   */
  readonly lost: readonly number[]
}

export interface TakenSlot extends HeldSlot {
  readonly position: Position
  /** How many holders in a row disappeared without releasing the slot, this time included. */
  readonly crashes: number
  /**
   * The event whose start `suspect` counted last; `null` if there is none. A log may leave it out,
   * always or where `crashes` is 0.
   */
  readonly suspect?: string | null
}

/** A position in a slot. Opaque. */
export type Position = string
