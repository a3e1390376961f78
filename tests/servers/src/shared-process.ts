import { afterAll, vi } from 'vitest'
import { leftIn, processNow } from './left-in-process.ts'

/**
 * Vitest's setup file for test files that share a process, one after the other. Each evaluates our
 * modules anew, so their state is as in a new process; modules of dependencies stay loaded. A file
 * that leaves the process other than it found it fails, because the next one would inherit that.
 */
vi.resetModules()
const before = processNow()

// Registered before the hooks of the file, so it runs after them.
afterAll(() => {
  const left = leftIn(before, processNow())
  if (left.length > 0) throw new Error(`This file leaves in its process: ${left.join(', ')}.`)
})
