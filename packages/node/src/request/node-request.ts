import type { IncomingMessage } from 'node:http'

/**
 * The request fields that are read: Node's, and those that Connect, Express and body parsers add.
 */
export interface NodeRequest extends IncomingMessage {
  /** The URL before a router removed its mount path. */
  originalUrl?: string
  // biome-ignore lint/suspicious/noExplicitAny: what body parsers call it; `unknown` would spread to handlers
  body?: any
}
