# Remove machine-specific Python include directories from exported targets.
#
# rosidl exports each interface package's Python target with the include directories of the Python
# that built it. This function fixes two consequences and has no effect on a normal ROS installation:
# - The pip wheels of ROS 2 contain directories of the machine that built them, and CMake rejects an
#   imported target with a missing directory. The build needs none of them, because rosidl finds
#   Python itself.
# - This project's own target would contain directories of this machine, which CMake rejects where
#   the virtual environment is inside the source tree.
function(fix_python_include_directories own_target)
  get_directory_property(imported_targets IMPORTED_TARGETS)
  foreach(target IN LISTS imported_targets)
    get_target_property(directories ${target} INTERFACE_INCLUDE_DIRECTORIES)
    if(NOT target MATCHES "__rosidl_generator_py$" OR NOT directories)
      continue()
    endif()
    set(existing "")
    foreach(directory IN LISTS directories)
      if(NOT IS_ABSOLUTE "${directory}" OR EXISTS "${directory}")
        list(APPEND existing "${directory}")
      endif()
    endforeach()
    set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${existing}")
  endforeach()

  # Humble's target may have none.
  get_target_property(directories ${own_target} INTERFACE_INCLUDE_DIRECTORIES)
  if(directories)
    set_target_properties(${own_target} PROPERTIES
      INTERFACE_INCLUDE_DIRECTORIES "$<BUILD_INTERFACE:${directories}>")
  endif()
endfunction()
