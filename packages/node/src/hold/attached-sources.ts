import type { Readable } from 'node:stream'
import { isGone } from '../internals/internals.ts'
import { CAPTURE, type Capture, type CapturedResponse } from './capture.ts'
import { abandon } from './finish.ts'

/**
 * Tracks the streams piped into a response: to stop them when another answer is sent, and to notice
 * when a client that hung up caused them to be unpiped, so that `end()` will never be called.
 */
export function followSources(capture: Capture): void {
  capture.res.on('pipe', attached)
}

function attached(this: CapturedResponse, source: Readable): void {
  const capture = this[CAPTURE]
  if (capture.phase === 'over') return
  if (capture.sources === undefined) {
    capture.sources = new Set()
    this.on('unpipe', stopped)
  }
  capture.sources.add(source)
  // An old-style pipe does not emit `unpipe` when its source ends.
  source.once('end', () => capture.sources?.delete(source))
  // After the client has gone, Node destroys a source without emitting `unpipe`. A framework may
  // have destroyed it before it was piped.
  if (source.closed) stopped.call(this, source)
  else source.once('close', () => stopped.call(this, source))
}

function stopped(this: CapturedResponse, source: Readable): void {
  const capture = this[CAPTURE]
  capture.sources?.delete(source)
  if (isGone(this) && !capture.ended && !source.readableEnded) abandon(capture)
}
