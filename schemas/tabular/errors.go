package tabular

import (
	"fmt"
	"net/http"

	"github.com/xinqiao/creditgw/schemas"
)

// Error says why a file can't be read and how to put it right. It never holds
// anything of the file's content.
type Error struct {
	Code    string // stable, such as UNKNOWN_HEADER
	Status  int    // the HTTP status that fits: 400, 413 or 415
	Line    int    // where reading stopped, as a spreadsheet numbers it; 0 if it never began
	Message schemas.Text
	Hint    schemas.Text
}

// Error returns the English message.
func (e *Error) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("tabular: %s (line %d)", e.Message.EN, e.Line)
	}
	return "tabular: " + e.Message.EN
}

func errEmpty() *Error {
	return &Error{Code: "EMPTY_FILE", Status: http.StatusBadRequest,
		Message: schemas.Text{ZH: "文件是空的", EN: "the file is empty"},
		Hint:    schemas.Text{ZH: "请确认导出成功后重新报送；当期没有数据请用零报送", EN: "export it again; a period without data is sent as a zero report"}}
}

func errFormat() *Error {
	return &Error{Code: "UNSUPPORTED_FORMAT", Status: http.StatusUnsupportedMediaType,
		Message: schemas.Text{ZH: "不支持的文件格式", EN: "the file format is not supported"},
		Hint:    schemas.Text{ZH: "请另存为 .xlsx 或 CSV（UTF-8）", EN: "save it as .xlsx or as CSV (UTF-8)"}}
}

func errOldWorkbook() *Error {
	return &Error{Code: "OLD_WORKBOOK", Status: http.StatusUnsupportedMediaType,
		Message: schemas.Text{ZH: "旧版表格文件（.xls、.et）", EN: "a workbook of an old format (.xls, .et)"},
		Hint:    schemas.Text{ZH: "请另存为 .xlsx", EN: "save it as .xlsx"}}
}

func errEncrypted() *Error {
	return &Error{Code: "ENCRYPTED_WORKBOOK", Status: http.StatusUnsupportedMediaType,
		Message: schemas.Text{ZH: "工作簿设有打开密码", EN: "the workbook is encrypted"},
		Hint:    schemas.Text{ZH: "请去掉打开密码后另存为 .xlsx", EN: "remove the password and save it as .xlsx"}}
}

func errCharset(line int) *Error {
	return &Error{Code: "WRONG_CHARSET", Status: http.StatusUnsupportedMediaType, Line: line,
		Message: schemas.Text{ZH: "文件编码不是 UTF-8 或 GB18030", EN: "the charset is neither UTF-8 nor GB18030"},
		Hint:    schemas.Text{ZH: "请另存为“CSV UTF-8（逗号分隔）”", EN: "save it as CSV UTF-8 (comma delimited)"}}
}

func errHeader() *Error {
	return &Error{Code: "UNKNOWN_HEADER", Status: http.StatusBadRequest,
		Message: schemas.Text{ZH: "没有找到可识别的表头", EN: "no header that is known was found"},
		Hint:    schemas.Text{ZH: "表头请使用国家标准字段代码（如 CF_XDR_MC）或中文名称（如 行政相对人名称）", EN: "use the national codes (CF_XDR_MC) or Chinese names as header"}}
}

func errNoRecords() *Error {
	return &Error{Code: "UNKNOWN_HEADER", Status: http.StatusBadRequest,
		Message: schemas.Text{ZH: "JSON 中没有 records 数组", EN: "the JSON has no array called records"},
		Hint:    schemas.Text{ZH: `请写成 {"records":[{"CF_XDR_MC":"…"}]}，或只写其中的数组`, EN: `write {"records":[{"CF_XDR_MC":"…"}]}, or the array alone`}}
}

func errColumns(limit int) *Error {
	return &Error{Code: "TOO_MANY_COLUMNS", Status: http.StatusRequestEntityTooLarge,
		Message: schemas.Text{ZH: fmt.Sprintf("列数超过 %d", limit), EN: fmt.Sprintf("more than %d columns", limit)},
		Hint:    schemas.Text{ZH: "请删除多余的列", EN: "remove the columns that are not needed"}}
}

func errRows(limit int) *Error {
	return &Error{Code: "TOO_MANY_ROWS", Status: http.StatusRequestEntityTooLarge,
		Message: schemas.Text{ZH: fmt.Sprintf("数据超过 %d 行", limit), EN: fmt.Sprintf("more than %d rows", limit)},
		Hint:    schemas.Text{ZH: "请拆分成多个文件报送", EN: "send it as several files"}}
}

func errFileSize() *Error {
	return &Error{Code: "FILE_TOO_LARGE", Status: http.StatusRequestEntityTooLarge,
		Message: schemas.Text{ZH: "文件过大", EN: "the file is too large"},
		Hint:    schemas.Text{ZH: "请拆分成多个文件报送", EN: "send it as several files"}}
}

func errUnzipped() *Error {
	return &Error{Code: "WORKBOOK_TOO_LARGE", Status: http.StatusRequestEntityTooLarge,
		Message: schemas.Text{ZH: "工作簿展开后过大", EN: "the workbook is too large when unpacked"},
		Hint:    schemas.Text{ZH: "请拆分文件，或另存为 CSV（UTF-8）", EN: "split it, or save it as CSV (UTF-8)"}}
}

func errRecord(line int) *Error {
	return &Error{Code: "RECORD_TOO_LONG", Status: http.StatusRequestEntityTooLarge, Line: line,
		Message: schemas.Text{ZH: "有一行过长，可能缺少引号", EN: "a record is too long, perhaps for want of a closing quote"},
		Hint:    schemas.Text{ZH: "请检查该行附近的双引号是否成对", EN: "check that the quotes near this line are paired"}}
}

func errMalformed(line int, zh, en string) *Error {
	return &Error{Code: "MALFORMED", Status: http.StatusBadRequest, Line: line,
		Message: schemas.Text{ZH: zh, EN: en},
		Hint:    schemas.Text{ZH: "请用表格软件打开检查后重新保存", EN: "open the file, check it and save it again"}}
}
