import { findProgram } from './program.ts'

/** The path of `pgbouncer`. */
export function findPgBouncer(): Promise<string> {
  return findProgram({ program: 'pgbouncer', debianPackage: 'pgbouncer', missing: MISSING })
}

const MISSING = `These tests run behind a real PgBouncer, and there is no pgbouncer on PATH. Install it:
  Debian, Ubuntu   sudo apt-get install pgbouncer
  macOS            brew install pgbouncer`
