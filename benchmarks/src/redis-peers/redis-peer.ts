import type { Express } from 'express'
import type { Order, PlacedOrder } from '../contenders/order.ts'

/** A way of making `POST /orders` idempotent with Redis, as its documentation shows it. */
export type RedisPeer = (app: Express, place: Place, url: string) => Promise<void> | void

/** The handler's work. */
export type Place = (order: Order) => PlacedOrder
