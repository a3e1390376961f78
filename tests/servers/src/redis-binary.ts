import { findProgram } from './program.ts'

/** The path of `redis-server`. */
export function findRedis(): Promise<string> {
  return findProgram({ program: 'redis-server', debianPackage: 'redis-server', missing: MISSING })
}

const MISSING = `These tests run on a real Redis, and there is no redis-server on PATH. Install version 7 or newer:
  Debian, Ubuntu   sudo apt-get install redis-server
  macOS            brew install redis`
