import { findProgram } from './program.ts'

/** The path of `chromium`. */
export function findChromium(): Promise<string> {
  return findProgram({ program: 'chromium', debianPackage: 'chromium', missing: MISSING })
}

const MISSING = `These tests run in a real browser, and there is no chromium on PATH. Install it:
  Debian   sudo apt-get install chromium`
