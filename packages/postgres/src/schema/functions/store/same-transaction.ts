import { STARTED } from './start-attempt.ts'

/**
 * Refuses every transaction except the one that began at 'in_started'. If the handler committed by
 * itself, the lock is released, and further statements would each be committed alone. The start
 * time is compared because no statement of a handler can change it, whereas RESET ALL removes a
 * setting.
 */
export const REFUSE_OTHER_TRANSACTIONS: string = `if ${STARTED} is distinct from in_started then
        raise exception 'the transaction of this attempt has ended' using errcode = 'OK001';
      end if;`

/**
 * Refuses every other transaction, as above, and on PGlite compares the mark as well: PGlite's
 * clock counts milliseconds, so two transactions can begin at the same time. 'in_attempt' is the
 * mark that the first statement set. It is null on every other server, and on PGlite if the handler
 * sent nothing that can end a transaction.
 */
export const REFUSE_OTHER_OR_UNMARKED_TRANSACTIONS: string = `if ${STARTED} is distinct from in_started
        or current_setting('oncekey.attempt', true) is distinct from in_attempt
          and in_attempt is not null
      then
        raise exception 'the transaction of this attempt has ended' using errcode = 'OK001';
      end if;`
