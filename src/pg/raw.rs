//! PostgreSQL's C functions as they are: they raise by `longjmp`.
//!
//! pgrx declares the same functions, each wrapped so that an error becomes a Rust panic; the wrapping keeps only message,
//! detail, hint and SQLSTATE, converted to UTF-8 with loss. Everything that can raise is therefore called from here,
//! inside [`catch`](super::guard::catch).

// pgrx wraps the same symbols with signatures that differ in pointer mutability only.
#![allow(clashing_extern_declarations)]

use core::ffi::{c_char, c_int, c_long, c_void};
use pgrx::pg_sys::{
    self, Datum, ErrorData, FmgrInfo, FunctionCallInfo, HeapTuple, MemoryContext, Oid, SPIPlanPtr,
    StringInfo, TupleDesc, Tuplestorestate, bytea,
};

unsafe extern "C-unwind" {
    // elog.c
    pub(super) fn errstart(level: c_int, domain: *const c_char) -> bool;
    pub(super) fn errfinish(file: *const c_char, line: c_int, function: *const c_char);
    pub(super) fn errcode(code: c_int) -> c_int;
    pub(super) fn errhidestmt(hide: bool) -> c_int;
    pub(super) fn errhidecontext(hide: bool) -> c_int;
    pub(super) fn errmsg_internal(format: *const c_char, ...) -> c_int;
    pub(super) fn errdetail_internal(format: *const c_char, ...) -> c_int;
    pub(super) fn errhint(format: *const c_char, ...) -> c_int;
    pub(super) fn errcontext_msg(format: *const c_char, ...) -> c_int;
    pub(super) fn set_errcontext_domain(domain: *const c_char) -> c_int;
    pub(super) fn geterrposition() -> c_int;
    pub(super) fn errposition(position: c_int) -> c_int;
    pub(super) fn internalerrposition(position: c_int) -> c_int;
    pub(super) fn internalerrquery(query: *const c_char) -> c_int;
    pub(super) fn CopyErrorData() -> *mut ErrorData;
    pub(super) fn FreeErrorData(data: *mut ErrorData);
    pub(super) fn FlushErrorState();
    pub(super) fn ReThrowError(data: *mut ErrorData) -> !;

    // mcxt.c, aset.c
    pub(super) fn MemoryContextAlloc(context: MemoryContext, size: usize) -> *mut c_void;
    pub(super) fn MemoryContextAllocHuge(context: MemoryContext, size: usize) -> *mut c_void;
    pub(super) fn MemoryContextReset(context: MemoryContext);
    pub(super) fn MemoryContextRegisterResetCallback(
        context: MemoryContext,
        callback: *mut pg_sys::MemoryContextCallback,
    );
    pub(super) fn MemoryContextDelete(context: MemoryContext);
    pub(super) fn AllocSetContextCreateInternal(
        parent: MemoryContext,
        name: *const c_char,
        min: usize,
        init: usize,
        max: usize,
    ) -> MemoryContext;
    pub(super) fn pfree(pointer: *mut c_void);

    // pqcomm.c
    pub(super) fn pq_check_connection() -> bool;

    // pmsignal.c, ipc.c
    pub(super) static mut postmaster_possibly_dead: c_int;
    pub(super) static mut xmloption: c_int;
    pub(super) fn PostmasterIsAliveInternal() -> bool;
    pub(super) fn proc_exit(code: c_int) -> !;

    // fd.c
    pub(super) static max_safe_fds: c_int;
    pub(super) fn AcquireExternalFD() -> bool;
    pub(super) fn ReserveExternalFD();
    pub(super) fn ReleaseExternalFD();

    // postgres.c
    pub(super) fn ProcessInterrupts();

    // fmgr.c
    pub(super) fn fmgr_info_cxt(function: Oid, info: *mut FmgrInfo, context: MemoryContext);
    pub(super) fn InputFunctionCall(
        info: *mut FmgrInfo,
        text: *mut c_char,
        io_param: Oid,
        typmod: i32,
    ) -> Datum;
    pub(super) fn OutputFunctionCall(info: *mut FmgrInfo, value: Datum) -> *mut c_char;
    pub(super) fn ReceiveFunctionCall(
        info: *mut FmgrInfo,
        buffer: StringInfo,
        io_param: Oid,
        typmod: i32,
    ) -> Datum;
    pub(super) fn SendFunctionCall(info: *mut FmgrInfo, value: Datum) -> *mut bytea;
    pub(super) fn pg_detoast_datum(value: *mut pg_sys::varlena) -> *mut pg_sys::varlena;
    pub(super) fn pg_detoast_datum_packed(value: *mut pg_sys::varlena) -> *mut pg_sys::varlena;
    pub(super) fn MakeExpandedObjectReadOnlyInternal(value: Datum) -> Datum;
    pub(super) fn get_fn_expr_argtype(info: *mut FmgrInfo, number: c_int) -> Oid;
    pub(super) fn CheckFunctionValidatorAccess(validator: Oid, function: Oid) -> bool;

    // funcapi.c, heaptuple.c, tupdesc.c
    pub(super) fn get_call_result_type(
        fcinfo: FunctionCallInfo,
        oid: *mut Oid,
        desc: *mut TupleDesc,
    ) -> c_int;
    pub(super) fn get_func_result_type(function: Oid, oid: *mut Oid, desc: *mut TupleDesc)
    -> c_int;
    pub(super) fn get_func_arg_info(
        tuple: HeapTuple,
        types: *mut *mut Oid,
        names: *mut *mut *mut c_char,
        modes: *mut *mut c_char,
    ) -> c_int;
    pub(super) fn lookup_rowtype_tupdesc_copy(type_oid: Oid, typmod: i32) -> TupleDesc;
    pub(super) fn CreateTupleDescCopy(desc: TupleDesc) -> TupleDesc;
    pub(super) fn CreateTemplateTupleDesc(natts: c_int) -> TupleDesc;
    pub(super) fn TupleDescInitEntry(
        desc: TupleDesc,
        number: i16,
        name: *const c_char,
        type_oid: Oid,
        typmod: i32,
        dimensions: c_int,
    );
    pub(super) fn FreeTupleDesc(desc: TupleDesc);
    pub(super) fn BlessTupleDesc(desc: TupleDesc) -> TupleDesc;
    pub(super) fn heap_form_tuple(
        desc: TupleDesc,
        values: *const Datum,
        nulls: *const bool,
    ) -> HeapTuple;
    pub(super) fn HeapTupleHeaderGetDatum(tuple: pg_sys::HeapTupleHeader) -> Datum;
    pub(super) fn domain_check(
        value: Datum,
        is_null: bool,
        domain: Oid,
        extra: *mut *mut c_void,
        context: MemoryContext,
    );

    // tuplestore.c, execTuples.c
    pub(super) fn tuplestore_begin_heap(
        random: bool,
        across_transactions: bool,
        kbytes: c_int,
    ) -> *mut Tuplestorestate;
    pub(super) fn tuplestore_putvalues(
        store: *mut Tuplestorestate,
        desc: TupleDesc,
        values: *const Datum,
        nulls: *const bool,
    );
    pub(super) fn tuplestore_puttupleslot(
        store: *mut Tuplestorestate,
        slot: *mut pg_sys::TupleTableSlot,
    );
    pub(super) fn tuplestore_gettupleslot(
        store: *mut Tuplestorestate,
        forward: bool,
        copy: bool,
        slot: *mut pg_sys::TupleTableSlot,
    ) -> bool;
    pub(super) fn tuplestore_end(store: *mut Tuplestorestate);
    pub(super) fn MakeSingleTupleTableSlot(
        desc: TupleDesc,
        ops: *const pg_sys::TupleTableSlotOps,
    ) -> *mut pg_sys::TupleTableSlot;
    pub(super) fn ExecDropSingleTupleTableSlot(slot: *mut pg_sys::TupleTableSlot);
    pub(super) fn ExecFetchSlotHeapTupleDatum(slot: *mut pg_sys::TupleTableSlot) -> Datum;
    pub(super) fn slot_getsomeattrs_int(slot: *mut pg_sys::TupleTableSlot, number: c_int);
    pub(super) fn datumCopy(value: Datum, by_value: bool, length: c_int) -> Datum;

    // execUtils.c
    pub(super) fn RegisterExprContextCallback(
        context: *mut pg_sys::ExprContext,
        function: pg_sys::ExprContextCallbackFunction,
        arg: Datum,
    );
    pub(super) fn UnregisterExprContextCallback(
        context: *mut pg_sys::ExprContext,
        function: pg_sys::ExprContextCallbackFunction,
        arg: Datum,
    );

    // ipci.c, shmem.c, lwlock.c, ipc.c, controldata_utils.c
    pub(super) fn RequestAddinShmemSpace(size: usize);
    pub(super) fn ShmemInitStruct(
        name: *const c_char,
        size: usize,
        found: *mut bool,
    ) -> *mut c_void;
    pub(super) fn RequestNamedLWLockTranche(name: *const c_char, locks: c_int);
    pub(super) fn GetNamedLWLockTranche(name: *const c_char) -> *mut pg_sys::LWLockPadded;
    pub(super) fn LWLockAcquire(lock: *mut pg_sys::LWLock, mode: pg_sys::LWLockMode::Type) -> bool;
    pub(super) fn LWLockConditionalAcquire(
        lock: *mut pg_sys::LWLock,
        mode: pg_sys::LWLockMode::Type,
    ) -> bool;
    pub(super) fn LWLockRelease(lock: *mut pg_sys::LWLock);
    pub(super) fn before_shmem_exit(callback: pg_sys::pg_on_exit_callback, arg: Datum);
    pub(super) fn on_proc_exit(callback: pg_sys::pg_on_exit_callback, arg: Datum);
    pub(super) fn on_shmem_exit(callback: pg_sys::pg_on_exit_callback, arg: Datum);
    // condition_variable.c
    pub(super) fn ConditionVariableInit(variable: *mut pg_sys::ConditionVariable);
    pub(super) fn ConditionVariableTimedSleep(
        variable: *mut pg_sys::ConditionVariable,
        timeout: c_long,
        wait_event: u32,
    ) -> bool;
    pub(super) fn ConditionVariableBroadcast(variable: *mut pg_sys::ConditionVariable);
    pub(super) fn ConditionVariablePrepareToSleep(variable: *mut pg_sys::ConditionVariable);
    // Returns from 16 on whether it was signalled, which nobody here asks.
    pub(super) fn ConditionVariableCancelSleep();
    // latch.c
    pub(super) fn WaitLatchOrSocket(
        latch: *mut pg_sys::Latch,
        events: c_int,
        socket: c_int,
        timeout: c_long,
        wait_event: u32,
    ) -> c_int;
    pub(super) fn ResetLatch(latch: *mut pg_sys::Latch);

    pub(super) fn get_controlfile(
        directory: *const c_char,
        is_whole: *mut bool,
    ) -> *mut pg_sys::ControlFileData;

    // guc.c
    pub(super) fn NewGUCNestLevel() -> c_int;
    pub(super) fn AtEOXact_GUC(is_commit: bool, level: c_int);
    pub(super) fn GetConfigOption(
        name: *const c_char,
        missing_ok: bool,
        restrict_privileged: bool,
    ) -> *const c_char;
    pub(super) fn set_config_option(
        name: *const c_char,
        value: *const c_char,
        context: pg_sys::GucContext::Type,
        source: pg_sys::GucSource::Type,
        action: pg_sys::GucAction::Type,
        change: bool,
        level: c_int,
        is_reload: bool,
    ) -> c_int;
    pub(super) fn ProcessGUCArray(
        settings: *mut pg_sys::ArrayType,
        context: pg_sys::GucContext::Type,
        source: pg_sys::GucSource::Type,
        action: pg_sys::GucAction::Type,
    );

    // acl.c
    pub(super) fn has_privs_of_role(member: Oid, role: Oid) -> bool;

    // superuser.c
    pub(super) fn superuser() -> bool;
    pub(super) fn superuser_arg(role: Oid) -> bool;

    // varlena.c
    pub(super) fn varstr_levenshtein_less_equal(
        source: *const c_char,
        source_len: c_int,
        target: *const c_char,
        target_len: c_int,
        insert_cost: c_int,
        delete_cost: c_int,
        substitute_cost: c_int,
        most: c_int,
        trusted: bool,
    ) -> c_int;

    // syscache.c, lsyscache.c, inval.c
    pub(super) fn AcceptInvalidationMessages();
    pub(super) fn SearchSysCache1(cache: c_int, key: Datum) -> HeapTuple;
    pub(super) fn ReleaseSysCache(tuple: HeapTuple);
    pub(super) fn SearchSysCacheExists(
        cache: c_int,
        key1: Datum,
        key2: Datum,
        key3: Datum,
        key4: Datum,
    ) -> bool;
    pub(super) fn SysCacheGetAttr(
        cache: c_int,
        tuple: HeapTuple,
        attribute: i16,
        is_null: *mut bool,
    ) -> Datum;
    pub(super) fn GetSysCacheHashValue(
        cache: c_int,
        k1: Datum,
        k2: Datum,
        k3: Datum,
        k4: Datum,
    ) -> u32;
    pub(super) fn get_namespace_name(namespace: Oid) -> *mut c_char;
    pub(super) fn getBaseTypeAndTypmod(type_oid: Oid, typmod: *mut i32) -> Oid;
    pub(super) fn getTypeInputInfo(type_oid: Oid, input: *mut Oid, io_param: *mut Oid);
    pub(super) fn getTypeOutputInfo(type_oid: Oid, output: *mut Oid, is_varlena: *mut bool);
    pub(super) fn getTypeBinaryInputInfo(type_oid: Oid, receive: *mut Oid, io_param: *mut Oid);
    pub(super) fn getTypeBinaryOutputInfo(type_oid: Oid, send: *mut Oid, is_varlena: *mut bool);
    pub(super) fn get_range_subtype(range: Oid) -> Oid;
    pub(super) fn get_multirange_range(multirange: Oid) -> Oid;
    pub(super) fn format_type_be(type_oid: Oid) -> *mut c_char;
    pub(super) fn format_type_be_qualified(type_oid: Oid) -> *mut c_char;
    pub(super) fn format_procedure_qualified(function: Oid) -> *mut c_char;
    pub(super) fn format_operator_qualified(operator: Oid) -> *mut c_char;
    pub(super) fn quote_qualified_identifier(
        schema: *const c_char,
        name: *const c_char,
    ) -> *mut c_char;
    pub(super) fn get_namespace_name_or_temp(namespace: Oid) -> *mut c_char;
    pub(super) fn get_rel_name(relation: Oid) -> *mut c_char;
    pub(super) fn get_rel_namespace(relation: Oid) -> Oid;
    pub(super) fn get_func_name(function: Oid) -> *mut c_char;
    pub(super) fn get_func_namespace(function: Oid) -> Oid;
    pub(super) fn get_opname(operator: Oid) -> *mut c_char;
    pub(super) fn get_typisdefined(type_oid: Oid) -> bool;
    pub(super) fn text_to_cstring(text: *const pg_sys::text) -> *mut c_char;
    pub(super) fn GetUserNameFromId(role: Oid, no_error: bool) -> *mut c_char;

    // spi.c
    pub(super) fn SPI_connect() -> c_int;
    pub(super) fn SPI_finish() -> c_int;
    pub(super) fn SPI_prepare(sql: *const c_char, nargs: c_int, types: *mut Oid) -> SPIPlanPtr;
    pub(super) fn SPI_plan_get_plan_sources(plan: SPIPlanPtr) -> *mut pg_sys::List;
    pub(super) fn SPI_keepplan(plan: SPIPlanPtr) -> c_int;
    pub(super) fn SPI_freeplan(plan: SPIPlanPtr) -> c_int;
    pub(super) fn SPI_execute_plan(
        plan: SPIPlanPtr,
        values: *mut Datum,
        nulls: *const c_char,
        read_only: bool,
        limit: c_long,
    ) -> c_int;
    pub(super) fn SPI_result_code_string(code: c_int) -> *const c_char;
    pub(super) fn SPI_getbinval(
        tuple: HeapTuple,
        desc: TupleDesc,
        number: c_int,
        is_null: *mut bool,
    ) -> Datum;
    pub(super) fn SPI_gettypeid(desc: TupleDesc, number: c_int) -> Oid;

    // plancache.c, params.c, nodeFuncs.c, execExpr.c, execUtils.c
    pub(super) fn GetCachedPlan(
        source: *mut pg_sys::CachedPlanSource,
        params: pg_sys::ParamListInfo,
        owner: pg_sys::ResourceOwner,
        environment: *mut pg_sys::QueryEnvironment,
    ) -> *mut pg_sys::CachedPlan;
    pub(super) fn ReleaseCachedPlan(plan: *mut pg_sys::CachedPlan, owner: pg_sys::ResourceOwner);
    pub(super) fn makeParamList(count: c_int) -> pg_sys::ParamListInfo;
    pub(super) fn exprType(expression: *const pg_sys::Node) -> Oid;
    pub(super) fn expression_returns_set(expression: *mut pg_sys::Node) -> bool;
    pub(super) fn ExecInitExpr(
        expression: *mut pg_sys::Expr,
        parent: *mut pg_sys::PlanState,
    ) -> *mut pg_sys::ExprState;
    pub(super) fn CreateStandaloneExprContext() -> *mut pg_sys::ExprContext;
    pub(super) fn FreeExprContext(context: *mut pg_sys::ExprContext, is_commit: bool);

    // foreign.c, aclchk.c
    pub(super) fn GetForeignServerByName(
        name: *const c_char,
        missing_ok: bool,
    ) -> *mut pg_sys::ForeignServer;
    pub(super) fn GetForeignDataWrapper(oid: Oid) -> *mut pg_sys::ForeignDataWrapper;
    pub(super) fn GetUserMapping(user: Oid, server: Oid) -> *mut pg_sys::UserMapping;
    pub(super) fn untransformRelOptions(options: Datum) -> *mut pg_sys::List;
    pub(super) fn defGetString(option: *mut pg_sys::DefElem) -> *mut c_char;
    pub(super) fn aclcheck_error(result: c_int, object_type: c_int, name: *const c_char);

    // namespace.c, lsyscache.c, pg_depend.c, extension.c, table.c, relcache.c
    pub(super) fn get_namespace_oid(name: *const c_char, missing_ok: bool) -> Oid;
    pub(super) fn get_relname_relid(name: *const c_char, namespace: Oid) -> Oid;
    pub(super) fn getExtensionOfObject(class: Oid, object: Oid) -> Oid;
    pub(super) fn get_extension_oid(name: *const c_char, missing_ok: bool) -> Oid;
    pub(super) fn try_table_open(oid: Oid, lock: c_int) -> pg_sys::Relation;
    pub(super) fn table_close(relation: pg_sys::Relation, lock: c_int);
    pub(super) fn RelationGetIndexList(relation: pg_sys::Relation) -> *mut pg_sys::List;

    // heapam.c, heaptuple.c, genam.c
    pub(super) fn simple_heap_insert(relation: pg_sys::Relation, row: HeapTuple);
    pub(super) fn heap_copytuple(row: HeapTuple) -> HeapTuple;
    pub(super) fn heap_deform_tuple(
        row: HeapTuple,
        desc: TupleDesc,
        values: *mut Datum,
        nulls: *mut bool,
    );
    pub(super) fn systable_beginscan(
        relation: pg_sys::Relation,
        index: Oid,
        index_ok: bool,
        snapshot: pg_sys::Snapshot,
        keys: c_int,
        key: pg_sys::ScanKey,
    ) -> pg_sys::SysScanDesc;
    pub(super) fn systable_getnext(scan: pg_sys::SysScanDesc) -> HeapTuple;
    pub(super) fn systable_endscan(scan: pg_sys::SysScanDesc);

    // snapmgr.c
    pub(super) fn GetLatestSnapshot() -> pg_sys::Snapshot;
    pub(super) fn PushActiveSnapshot(snapshot: pg_sys::Snapshot);
    pub(super) fn PopActiveSnapshot();
    pub(super) fn IsInParallelMode() -> bool;

    // xact.c, transam.c, varsup.c, xlog.c, utility.c, lock.c
    pub(super) fn GetCurrentFullTransactionId() -> pg_sys::FullTransactionId;
    pub(super) fn ReadNextFullTransactionId() -> pg_sys::FullTransactionId;
    pub(super) fn GetCurrentCommandId(used: bool) -> pg_sys::CommandId;
    pub(super) fn CommandCounterIncrement();
    pub(super) fn BeginInternalSubTransaction(name: *const c_char);
    pub(super) fn ReleaseCurrentSubTransaction();
    pub(super) fn RollbackAndReleaseCurrentSubTransaction();
    pub(super) fn XLogFlush(until: pg_sys::XLogRecPtr);
    pub(super) fn PreventCommandIfReadOnly(command: *const c_char);
    pub(super) fn ForceSyncCommit();
    pub(super) fn RegisterXactCallback(callback: pg_sys::XactCallback, arg: *mut c_void);
    pub(super) fn RegisterSubXactCallback(callback: pg_sys::SubXactCallback, arg: *mut c_void);
    pub(super) fn GetSystemIdentifier() -> u64;
    pub(super) fn LockAcquire(
        tag: *const pg_sys::LOCKTAG,
        mode: c_int,
        session: bool,
        no_wait: bool,
    ) -> c_int;
    pub(super) fn LockRelease(tag: *const pg_sys::LOCKTAG, mode: c_int, session: bool) -> bool;

    // parser.c
    pub(super) fn make_parsestate(parent: *mut pg_sys::ParseState) -> *mut pg_sys::ParseState;
    pub(super) fn free_parsestate(parse: *mut pg_sys::ParseState);
    pub(super) fn transformTopLevelStmt(
        parse: *mut pg_sys::ParseState,
        statement: *mut pg_sys::RawStmt,
    ) -> *mut pg_sys::Query;
    pub(super) fn transformExpr(
        parse: *mut pg_sys::ParseState,
        expression: *mut pg_sys::Node,
        kind: pg_sys::ParseExprKind::Type,
    ) -> *mut pg_sys::Node;
    pub(super) fn lappend_int(list: *mut pg_sys::List, number: c_int) -> *mut pg_sys::List;
    pub(super) fn list_copy_tail(list: *const pg_sys::List, skip: c_int) -> *mut pg_sys::List;
    pub(super) fn list_truncate(list: *mut pg_sys::List, length: c_int) -> *mut pg_sys::List;
    pub(super) fn assign_record_type_identifier(type_oid: Oid, typmod: i32) -> u64;
    pub(super) fn type_is_rowtype(type_oid: Oid) -> bool;
    pub(super) fn get_typcollation(type_oid: Oid) -> Oid;
    pub(super) fn raw_parser(text: *const c_char, mode: c_int) -> *mut pg_sys::List;

    // mbutils.c
    pub(super) fn GetDatabaseEncoding() -> c_int;
    pub(super) fn GetDatabaseEncodingName() -> *const c_char;
    pub(super) fn pg_verify_mbstr(
        encoding: c_int,
        text: *const c_char,
        len: c_int,
        no_error: bool,
    ) -> bool;
    pub(super) fn pg_get_client_encoding() -> c_int;
    pub(super) fn PrepareClientEncoding(encoding: c_int) -> c_int;
    pub(super) fn SetClientEncoding(encoding: c_int) -> c_int;
    pub(super) fn pg_any_to_server(text: *const c_char, len: c_int, encoding: c_int)
    -> *mut c_char;
    pub(super) fn pg_server_to_any(text: *const c_char, len: c_int, encoding: c_int)
    -> *mut c_char;

    // arrayfuncs.c
    pub(super) fn deconstruct_array(
        array: *mut pg_sys::ArrayType,
        element: Oid,
        len: c_int,
        by_value: bool,
        align: c_char,
        values: *mut *mut Datum,
        nulls: *mut *mut bool,
        count: *mut c_int,
    );
    pub(super) fn construct_md_array(
        values: *mut Datum,
        nulls: *mut bool,
        dimensions: c_int,
        lengths: *mut c_int,
        lower_bounds: *mut c_int,
        element: Oid,
        len: c_int,
        by_value: bool,
        align: c_char,
    ) -> *mut pg_sys::ArrayType;
}
