import type { Answering } from './answering.ts'
import { ERRORS } from './errors.ts'
import { FLOW } from './flow.ts'
import { HEADERS } from './headers.ts'
import { RAW } from './raw.ts'
import { STREAMS } from './streams.ts'
import { VALUES } from './values.ts'

export const HANDLERS: Record<string, Answering> = Object.fromEntries(
  Object.entries({ ...VALUES, ...FLOW, ...HEADERS, ...STREAMS, ...ERRORS, ...RAW }).map(
    ([name, given]) => [name, typeof given === 'function' ? { handler: given } : given],
  ),
)
