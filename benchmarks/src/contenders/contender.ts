import type { Express } from 'express'
import type { Pool } from 'pg'
import type { Order } from './order.ts'

/** One way of placing an order. */
export interface Contender {
  /** Adds the route, as a user would write it. */
  mount(app: Express): void
  /** Places an order without HTTP. Returns the status that a client would have seen. */
  place(request: PlaceRequest): Promise<number>
  /** Begins an order and stops in the middle. Returns a function that gives the order up. */
  hold?(request: PlaceRequest): Promise<() => Promise<unknown>>
}

export interface PlaceRequest {
  /** Options that only contenders with keys use. */
  readonly key: string | undefined
  readonly order: Order
  /** Whether the handler refuses the order after it has written it. @default false */
  readonly refused?: boolean
}

export interface ContenderOptions {
  readonly pool: Pool
  /** Whether an order also appends an event to the outbox. */
  readonly event: boolean
  /** Whether the store prepares its statements; the handler's own statements are not affected. */
  readonly prepare: boolean
}
